import { isIPv6 } from 'node:net';

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** Whether an address to listen on is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** What a server that asks for no key knows of its callers. */
export interface LocalCallers {
  /** Names besides the loopback ones, as the configuration has them. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages that may call besides those of the server itself. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Without keys, being on this machine is what counts, and a browser on this machine lends that to
 * every page it shows. A page that had its own name resolve to 127.0.0.1 is known by the Host
 * header, one that calls across origins by the Origin header.
 */
export function localCallerCheck(
  callers: LocalCallers,
): (host: string | undefined, origin: string | undefined) => 'host' | 'origin' | undefined {
  const hosts = new Set([...loopbackNames, ...callers.allowedHosts.map(toHostName)]);
  const origins = new Set(callers.allowedOrigins);
  return (host, origin) => {
    if (host === undefined || !hosts.has(toHostName(host))) return 'host';
    if (origin === undefined || origins.has(origin)) return undefined;
    return origin === `http://${host}` || origin === `https://${host}` ? undefined : 'origin';
  };
}

/** The name in a Host header: without port, in the one spelling that is compared. */
function toHostName(host: string): string {
  if (isIPv6(host)) return `[${host.toLowerCase()}]`;
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}

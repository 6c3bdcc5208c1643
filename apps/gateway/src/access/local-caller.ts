import { isIPv6 } from 'node:net';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import type { RequestStep } from '../http/request-steps.js';

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** True if only this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Names and origins that a server without keys answers to. */
export interface LocalCallers {
  /** Allowed host names besides the loopback ones, as in the configuration. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages that may call, besides the server's own. */
  readonly allowedOrigins: readonly string[];
}

/** Creates the step that refuses callers that are, or may be, on another machine. */
export function createLocalCallerStep(callers: LocalCallers): RequestStep {
  const check = createLocalCallerCheck(callers);
  // Nearly all callers on this machine send the same Host header.
  let lastAllowed: string | undefined;
  return (request) => {
    const { headers } = request.raw;
    const { host, origin } = headers;
    const isKnown = host === lastAllowed && host !== undefined;
    if (isKnown && origin === undefined && !comesFromOtherSite(request)) return undefined;
    switch (check(host, origin)) {
      case 'host':
        return new PlatformError(
          'HOST_NOT_ALLOWED',
          `this server does not answer to the Host header '${host ?? ''}'`,
        );
      case 'origin':
        return new PlatformError(
          'ORIGIN_NOT_ALLOWED',
          `web pages of the origin '${origin}' may not call this server`,
        );
      default:
        // A page of an allowed origin names it where it is allowed to read the answer.
        if (origin === undefined && comesFromOtherSite(request)) {
          const site = headers['sec-fetch-site'];
          return new PlatformError(
            'ORIGIN_NOT_ALLOWED',
            `a web page of another origin sent this request (Sec-Fetch-Site: ${site})`,
          );
        }
        lastAllowed = host;
        return undefined;
    }
  };
}

/**
 * True if a browser says that a page of another origin sent the request. Without an Origin header
 * that is how images, scripts and frames are loaded. A link that somebody follows is no such
 * request: it shows the answer to that person, and changes nothing.
 */
function comesFromOtherSite({ method, raw: { headers } }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  const isLink =
    headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return !(isLink && (method === 'GET' || method === 'HEAD'));
}

/**
 * Creates the check of the headers Host and Origin; it returns the header that is wrong. Without
 * keys, every program on this machine may call, and a browser on this machine calls for every page
 * that it shows. The Host header reveals a page whose own name resolves to 127.0.0.1 (DNS
 * rebinding), the Origin header reveals a page of another origin.
 */
export function createLocalCallerCheck(
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

/**
 * Returns the name in a Host header without its port, in the spelling that is compared. One client of
 * realtime channels sends a whole URL; browsers, which the check is about, cannot.
 */
export function toHostName(header: string): string {
  const host = header.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  if (isIPv6(host)) return `[${host.toLowerCase()}]`;
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}

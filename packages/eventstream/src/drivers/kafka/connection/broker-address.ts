import { isIPv6 } from 'node:net';

/** Address of a broker. */
export interface BrokerAddress {
  /** Name or IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** An IPv6 address in brackets, or a name or IPv4 address, and then the port. */
const addressPattern = /^(?:\[([^\]]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/;
const schemePattern = /^[A-Za-z][\w+.-]*:\/\//;
const maxPort = 65_535;

/** Parses `host:port` or `[IPv6 address]:port`. Returns undefined for any other text. */
export function parseBroker(text: string): BrokerAddress | undefined {
  const [, ipv6, name, digits] = addressPattern.exec(text) ?? [];
  const host = ipv6 ?? name ?? '';
  const port = Number(digits);
  if (!(port >= 1 && port <= maxPort) || (ipv6 !== undefined && !isIPv6(ipv6))) return undefined;
  return { host, port };
}

/** Returns the reason why the text is no address, for a message; undefined if it is one. */
export function findBrokerFault(text: string): string | undefined {
  if (parseBroker(text)) return undefined;
  const scheme = schemePattern.exec(text)?.[0];
  if (scheme !== undefined) return `which is a URL; leave out ${scheme} and give host:port`;
  const ipv6 = text.slice(0, Math.max(0, text.lastIndexOf(':')));
  if (isIPv6(text) || isIPv6(ipv6)) return 'which is ambiguous; give an IPv6 address as [::1]:9092';
  return `which is not host:port with a port from 1 to ${maxPort}`;
}

/**
 * Names that stand for IPv6 addresses in kafkajs, which takes what is before the first colon for the
 * host: `::1` is `--1.ipv6-literal.net`, as in Windows. They are never looked up: the sockets are
 * opened here.
 */
export class Ipv6Names {
  readonly #addresses = new Map<string, string>();

  /** Returns the broker as kafkajs can read it. */
  toName(broker: string): string {
    const address = parseBroker(broker);
    if (!address?.host.includes(':')) return broker;
    const name = `${address.host.replaceAll(':', '-').replace('%', 's')}.ipv6-literal.net`;
    this.#addresses.set(name, address.host);
    return `${name}:${address.port}`;
  }

  /** Returns the address for which a host stands, or the host itself. */
  toHost(host: string): string {
    return this.#addresses.get(host) ?? host;
  }
}

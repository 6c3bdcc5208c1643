import { BlockList, isIPv4 } from 'node:net';
import type { FastifyRequest } from 'fastify';

const mappedPrefix = '::ffff:';
/** Groups of 16 bits in the first half of an IPv6 address. */
const networkGroups = 4;

/**
 * Returns the name under which a client's address is counted: the address, or the /64 network of an
 * IPv6 address, which is one subscriber. An IPv4 address in the form of IPv6 is the IPv4 address.
 */
export function toClientNetwork(address: string): string {
  if (!address.includes(':')) return address;
  const lower = address.toLowerCase();
  if (lower.startsWith(mappedPrefix) && isIPv4(lower.slice(mappedPrefix.length))) {
    return lower.slice(mappedPrefix.length);
  }
  const [head = '', tail] = lower.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':');
    while (groups.length + last.length < networkGroups * 2) groups.push('0');
    groups.push(...last);
  }
  const network = groups.slice(0, networkGroups).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}

/**
 * Returns the name of whoever a request is counted for where callers have a share of something: its
 * API key or person, else its address.
 */
export function toCaller({ caller, ip }: FastifyRequest): string {
  const { kind, id, countedAs = id } = caller;
  return kind === 'local' || kind === 'anonymous' ? toClientNetwork(ip) : countedAs;
}

/** Returns the check if an address belongs to one of the networks (`10.0.0.0/8`, `::1`). */
export function createNetworkCheck(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false;
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', length] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (length === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(length), family);
  }
  // An IPv4 address in the form of IPv6 matches the rules of IPv4.
  return (address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

import { isIPv4 } from 'node:net';

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

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A parsed IP address. */
export type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** A range of addresses, for example `10.0.0.0/8`. */
export type Network = readonly [network: Address, prefixLength: number];

/** Fixed addresses at which clouds give their virtual machines metadata, credentials included. */
const metadataAddresses: readonly Address[] = [
  '169.254.169.254', // nearly all of them
  '169.254.170.2', // AWS, containers
  '100.100.100.200', // Alibaba
  '192.0.0.192', // Oracle
  '168.63.129.16', // Azure: inside public address space
  'fd00:ec2::254', // AWS
].map((address) => ipaddr.parse(address));

/** Ranges that ipaddr.js does not distinguish from ordinary IPv6 addresses. */
const ipv4Compatible = parseNetwork('::/96');
const globalUnicast = parseNetwork('2000::/3');

/** Usual names of ranges that ipaddr.js names by their RFC or in one word. */
const rangeNames: Readonly<Record<string, string>> = {
  linkLocal: 'link-local',
  carrierGradeNat: 'carrier-grade NAT',
  uniqueLocal: 'unique local',
  deprecatedSiteLocal: 'site-local',
  ipv4Mapped: 'IPv4-mapped',
  rfc6145: 'IPv4-translated',
  rfc6052: 'NAT64',
  teredo: 'Teredo',
};

/**
 * Functions that read the IPv4 addresses inside IPv6 addresses of transition mechanisms. Traffic to
 * such an IPv6 address ends at the IPv4 address inside.
 */
const embeddings: Readonly<Record<string, (bytes: number[]) => number[][]>> = {
  'IPv4-mapped': lastFour,
  'IPv4-compatible': lastFour,
  'IPv4-translated': lastFour,
  // Local NAT64 has several layouts. Only the one that ends in the IPv4 address is read: in the
  // others the last four bytes are 0, so that those addresses are always denied.
  NAT64: lastFour,
  '6to4': (bytes) => [bytes.slice(2, 6)],
  // The server, and the client with all its bits inverted.
  Teredo: (bytes) => [bytes.slice(4, 8), bytes.slice(12).map((byte) => byte ^ 0xff)],
};

/**
 * Returns the special range that an address belongs to, or undefined for an address of the public
 * internet. Public IPv6 is `2000::/3` without its special ranges; unassigned space is not public.
 */
export function specialRange(address: Address): string | undefined {
  if (metadataAddresses.some((known) => isWithin(address, [known, bitsOf(known)]))) {
    return 'cloud metadata';
  }
  const range = address.range();
  if (range !== 'unicast') return rangeNames[range] ?? range;
  if (address.kind() === 'ipv4' || isWithin(address, globalUnicast)) return undefined;
  return isWithin(address, ipv4Compatible) ? 'IPv4-compatible' : 'reserved';
}

/** Returns the IPv4 addresses inside an address of a transition mechanism; an empty list for others. */
export function embeddedAddresses(address: Address, range: string): Address[] {
  const found = embeddings[range]?.(address.toByteArray()) ?? [];
  return found.map((bytes) => ipaddr.fromByteArray(bytes));
}

/** True if the address is of the network's family and inside the network. */
export function isWithin(address: Address, [base, prefixLength]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, prefixLength);
}

/** Parses `10.0.0.0/8`, or a single address. @throws Error for any other text */
export function parseNetwork(cidr: string): Network {
  const [base = ''] = cidr.split('/', 1);
  // ipaddr.js would also read `10`, as 0.0.0.10, which is never what the user meant.
  if (isIP(base) === 0) throw new Error(`"${base}" is not an address`);
  if (base !== cidr) return ipaddr.parseCIDR(cidr);
  const address = ipaddr.parse(base);
  return [address, bitsOf(address)];
}

function bitsOf(address: Address): number {
  return address.kind() === 'ipv4' ? 32 : 128;
}

function lastFour(bytes: number[]): number[][] {
  return [bytes.slice(12)];
}

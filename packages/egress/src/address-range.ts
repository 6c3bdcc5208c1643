import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Network = readonly [network: Address, prefixLength: number];

/** Fixed addresses at which clouds answer their virtual machines, credentials included. */
const metadataAddresses: readonly Address[] = [
  '169.254.169.254', // nearly all of them
  '169.254.170.2', // AWS, containers
  '100.100.100.200', // Alibaba
  '192.0.0.192', // Oracle
  '168.63.129.16', // Azure: in the middle of public space
  'fd00:ec2::254', // AWS
].map((address) => ipaddr.parse(address));

/** What ipaddr.js does not tell apart from ordinary IPv6 addresses. */
const ipv4Compatible = network('::/96');
const globalUnicast = network('2000::/3');

/** What people call ranges that ipaddr.js names by their RFC or in one word. */
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

/** Where the ranges of transition mechanisms carry the IPv4 addresses that the traffic ends up at. */
const embeddings: Readonly<Record<string, (bytes: number[]) => number[][]>> = {
  'IPv4-mapped': lastFour,
  'IPv4-compatible': lastFour,
  'IPv4-translated': lastFour,
  // Of the layouts that local NAT64 may have, only the one that ends in the address is read: in
  // the others the last four bytes are 0, so those addresses are denied and never let through.
  NAT64: lastFour,
  '6to4': (bytes) => [bytes.slice(2, 6)],
  // The server, and the client with all its bits turned.
  Teredo: (bytes) => [bytes.slice(4, 8), bytes.slice(12).map((byte) => byte ^ 0xff)],
};

/**
 * The special range an address belongs to, or undefined for an address of the public internet.
 * For IPv6 that is `2000::/3` less its special ranges: what is not assigned is not public.
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

/** The IPv4 addresses inside an address of a transition mechanism's range; none for any other. */
export function embeddedAddresses(address: Address, range: string): Address[] {
  const found = embeddings[range]?.(address.toByteArray()) ?? [];
  return found.map((bytes) => ipaddr.fromByteArray(bytes));
}

/** Whether the address is of the network's family and inside it. */
export function isWithin(address: Address, [base, prefixLength]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, prefixLength);
}

/** Reads `10.0.0.0/8`, or a single address. @throws Error when it is neither */
export function network(cidr: string): Network {
  const [base = ''] = cidr.split('/', 1);
  // ipaddr.js would read `10` as 0.0.0.10 as well, which nobody means.
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

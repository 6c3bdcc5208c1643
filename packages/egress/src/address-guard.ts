/**
 * The guard decides which addresses a request may go to. The order of its steps:
 *
 * 1. At intake, `checkUrl` parses the URL (target.ts) and checks its scheme, credentials and port,
 *    and its host if that is an address or a `localhost` name. It asks no network.
 * 2. At connect time, dial.ts checks a literal address with `denialOf`, and resolves a name with
 *    `lookup`. The lookup asks the hosts file, the name servers and the operating system
 *    (resolve-name.ts), and checks every address that the name resolves to. One denied address
 *    refuses the name.
 * 3. An address is denied if it is in a special range (address-range.ts) and no option allows it.
 *    Every other address is public, and is not denied.
 * 4. Only then the addresses that `lookup` returned are connected to, as literal addresses, until
 *    one of them accepts (address-race.ts). The name is not resolved again, so a name that changes
 *    its addresses between the check and the connect gains nothing.
 */

import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { PlatformError } from '@posthaste/contracts';
import ipaddr from 'ipaddr.js';
import {
  type Address,
  embeddedAddresses,
  isWithin,
  type Network,
  parseNetwork,
  specialRange,
} from './address-range.js';
import { createNameResolver, type Resolve } from './resolve-name.js';
import { parseTarget } from './target.js';

/** Options of `createAddressGuard`. */
export interface AddressGuardOptions {
  /** True allows 127.0.0.0/8 and ::1. Default: false. */
  readonly allowLoopback?: boolean;
  /**
   * Networks (`10.20.0.0/16`) and addresses (`192.0.2.7`) that are allowed although they are in a
   * special range. Default: none. An IPv6 form that holds an IPv4 address (NAT64, 6to4, …) is
   * allowed only if the form is listed here and the address inside is listed here or public.
   */
  readonly allow?: readonly string[];
  /**
   * Returns the advice that the message of a denial gives for a special range, such as `loopback`.
   * Default: none.
   */
  readonly advice?: (range: string) => string;
  /** Resolver of names. Default: the hosts file, name servers, the operating system. */
  readonly resolve?: Resolve;
}

/** Fault of a URL: its address is denied (`blocked`), or no request can be sent to it at all. */
export interface UrlProblem {
  readonly reason: 'protocol' | 'blocked';
  /** Description for people. */
  readonly detail: string;
}

/** Decides which addresses may be connected to. */
export interface AddressGuard {
  /** Returns the reason why an address is denied, for example `private`; undefined if it is allowed. */
  denialOf(address: string): string | undefined;
  /**
   * Checks a URL at intake, without asking the network: its form, and its host if that is an address
   * or a `localhost` name. Other names are checked when they are connected to, because until then
   * their addresses may change. Returns undefined if nothing is wrong.
   */
  checkUrl(url: string): UrlProblem | undefined;
  /**
   * Lookup function for `net.connect` and `tls.connect`. It resolves the name once and checks all its
   * addresses, so that the socket goes to an address that was checked. One denied address refuses
   * the name, with a PlatformError `ADDRESS_BLOCKED`. Node does not call it for literal addresses.
   */
  readonly lookup: LookupFunction;
}

/**
 * Creates a guard.
 * @throws PlatformError `OPTION_INVALID` for an entry of `allow` that is not a network
 */
export function createAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  const { allowLoopback = false, allow = [], advice, resolve = createNameResolver() } = options;
  const allowed = allow.map(toNetwork);

  const findDenial = (address: Address): string | undefined => {
    const range = specialRange(address);
    if (range === undefined) return undefined;
    const isAllowed =
      (range === 'loopback' && allowLoopback) || allowed.some((entry) => isWithin(address, entry));
    if (!isAllowed) return range;
    const inner = embeddedAddresses(address, range).map(findDenial).find(Boolean);
    return inner === undefined ? undefined : `${range}, with a ${inner} address inside`;
  };

  const denialOf = (address: string): string | undefined => {
    if (isIP(address) === 0) return 'not an address';
    const parsed = ipaddr.parse(address);
    const denial = findDenial(parsed);
    const range = advice && denial !== undefined ? specialRange(parsed) : undefined;
    return advice && range !== undefined ? `${denial}; ${advice(range)}` : denial;
  };

  return { denialOf, checkUrl: createUrlCheck(denialOf), lookup: createLookup(denialOf, resolve) };
}

/**
 * Returns the error for a denied host. Its message does not say which address a name resolved to,
 * because an attacker could learn about the inside of the network.
 */
export function addressBlocked(hostname: string, denial: string): PlatformError {
  const why = isIP(hostname) === 0 ? `it resolves to an address that is ${denial}` : denial;
  return new PlatformError('ADDRESS_BLOCKED', `requests to ${hostname} are not allowed (${why})`);
}

function createUrlCheck(denialOf: AddressGuard['denialOf']): AddressGuard['checkUrl'] {
  return (url) => {
    const target = parseTarget(url);
    if ('problem' in target) return { reason: 'protocol', detail: target.problem };
    const host = target.hostname.replace(/^\[|\]$/g, '');
    const address = isLocalhost(host) ? '127.0.0.1' : host;
    const denial = isIP(address) === 0 ? undefined : denialOf(address);
    if (denial === undefined) return undefined;
    return { reason: 'blocked', detail: addressBlocked(host, denial).message };
  };
}

function createLookup(denialOf: AddressGuard['denialOf'], resolve: Resolve): LookupFunction {
  // One resolution at a time per name, however many connections wait for it.
  const pending = new Map<string, Promise<readonly LookupAddress[]>>();

  const resolveChecked = async (hostname: string): Promise<LookupAddress[]> => {
    let resolution = pending.get(hostname);
    if (resolution === undefined) {
      resolution = resolve(hostname).finally(() => pending.delete(hostname));
      pending.set(hostname, resolution);
    }
    const addresses = await resolution;
    if (addresses.length === 0) {
      throw Object.assign(new Error(`${hostname} has no address`), { code: 'ENODATA' });
    }
    for (const { address } of addresses) {
      const denial = denialOf(address);
      if (denial !== undefined) throw addressBlocked(hostname, denial);
    }
    return [...addresses];
  };

  return (hostname, { all }, callback) => {
    resolveChecked(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (all || first === undefined) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => {
        callback(error instanceof Error ? error : new Error(String(error)), []);
      },
    );
  };
}

function toNetwork(entry: string): Network {
  try {
    return parseNetwork(entry);
  } catch (cause) {
    throw new PlatformError('OPTION_INVALID', `allow: "${entry}" is not a network`, { cause });
  }
}

/** True for names that RFC 6761 defines as loopback, whatever a resolver would say. */
function isLocalhost(hostname: string): boolean {
  return /(^|\.)localhost\.?$/.test(hostname);
}

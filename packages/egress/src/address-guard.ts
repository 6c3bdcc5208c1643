import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { PlatformError } from '@posthaste/contracts';
import ipaddr from 'ipaddr.js';
import {
  type Address,
  embeddedAddresses,
  isWithin,
  type Network,
  network,
  specialRange,
} from './address-range.js';
import { createNameResolver, type Resolve } from './resolve-name.js';
import { parseTarget } from './target.js';

export interface AddressGuardOptions {
  /** Lets 127.0.0.0/8 and ::1 through. Default: false. */
  readonly allowLoopback?: boolean;
  /**
   * Networks (`10.20.0.0/16`) and addresses (`192.0.2.7`) that are let through although they
   * are special. Default: none. An IPv6 form that holds an IPv4 address (NAT64, 6to4, …) needs
   * both: the form allowed here, and the address inside it allowed or public.
   */
  readonly allow?: readonly string[];
  /** Where names are looked up. Default: the hosts file, name servers, the operating system. */
  readonly resolve?: Resolve;
}

/** What is wrong with a URL: `blocked` by its address, or not a URL to send to at all. */
export interface UrlProblem {
  readonly reason: 'protocol' | 'blocked';
  /** A line for people. */
  readonly detail: string;
}

/** Decides which addresses may be connected to. */
export interface AddressGuard {
  /** Why an address is denied, as `private`; undefined when it may be connected to. */
  denialOf(address: string): string | undefined;
  /**
   * Judges a URL at intake without asking the network: its form, and its host when that is an
   * address or a `localhost` name. Other names are judged when they are connected to, because
   * until then they may come to mean something else.
   */
  checkUrl(url: string): UrlProblem | undefined;
  /**
   * For `net.connect` and `tls.connect`: resolves the name once and checks all that it resolves
   * to, so that the socket goes to an address that was checked. One denied address refuses the
   * name, with a PlatformError `ADDRESS_BLOCKED`. Sockets do not call it for literal addresses.
   */
  readonly lookup: LookupFunction;
}

/** @throws PlatformError `OPTION_INVALID` for an entry of `allow` that is no network */
export function createAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  const { allowLoopback = false, allow = [], resolve = createNameResolver() } = options;
  const allowed = allow.map(toNetwork);

  const judge = (address: Address): string | undefined => {
    const range = specialRange(address);
    if (range === undefined) return undefined;
    const isAllowed =
      (range === 'loopback' && allowLoopback) || allowed.some((entry) => isWithin(address, entry));
    if (!isAllowed) return range;
    const inner = embeddedAddresses(address, range).map(judge).find(Boolean);
    return inner === undefined ? undefined : `${range}, with a ${inner} address inside`;
  };

  const denialOf = (address: string): string | undefined =>
    isIP(address) === 0 ? 'not an address' : judge(ipaddr.parse(address));

  return { denialOf, checkUrl: checkUrlBy(denialOf), lookup: lookupBy(denialOf, resolve) };
}

/** The refusal of a host. It does not tell what a name resolved to: that is the inside's affair. */
export function addressBlocked(hostname: string, denial: string): PlatformError {
  const why = isIP(hostname) === 0 ? `it leads to an address that is ${denial}` : denial;
  return new PlatformError('ADDRESS_BLOCKED', `requests to ${hostname} are not allowed (${why})`);
}

function checkUrlBy(denialOf: AddressGuard['denialOf']): AddressGuard['checkUrl'] {
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

function lookupBy(denialOf: AddressGuard['denialOf'], resolve: Resolve): LookupFunction {
  // One question at a time per name, however many connections wait for it.
  const pending = new Map<string, Promise<readonly LookupAddress[]>>();

  const checked = async (hostname: string): Promise<LookupAddress[]> => {
    let question = pending.get(hostname);
    if (question === undefined) {
      question = resolve(hostname).finally(() => pending.delete(hostname));
      pending.set(hostname, question);
    }
    const addresses = await question;
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
    checked(hostname).then(
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
    return network(entry);
  } catch (cause) {
    throw new PlatformError('OPTION_INVALID', `allow: "${entry}" is not a network`, { cause });
  }
}

/** RFC 6761: these names are loopback whatever the resolver would say. */
function isLocalhost(hostname: string): boolean {
  return /(^|\.)localhost\.?$/.test(hostname);
}

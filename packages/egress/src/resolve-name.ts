import { promises as dns, type LookupAddress } from 'node:dns';
import { Semaphore } from '@posthaste/contracts';
import { HostsFile } from './hosts-file.js';
import { isUnanswered, NameQuery } from './name-query.js';

/**
 * Resolves to all addresses of a name, or rejects if there are none. The promise must settle: until
 * then, all callers that ask for the same name wait for it.
 */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** The three sources that names are looked up in. */
export interface NameSources {
  /** Looks in the hosts file. Returns an empty list for a name that it lacks. */
  readonly listed: (name: string) => readonly LookupAddress[];
  /** Asks name servers. */
  readonly query: (name: string) => Promise<readonly LookupAddress[]>;
  /** Asks the operating system's resolver, which occupies a thread of the process until it is done. */
  readonly system: (name: string) => Promise<readonly LookupAddress[]>;
}

/**
 * Creates a resolver that looks a name up in the hosts file, then with the name servers, then with
 * the operating system, which also knows search domains and other directories.
 *
 * The operating system comes last because only a few of its lookups run at once. Callers choose the
 * names and may run the name servers for them: a server that does not respond would stop the lookups
 * of all others.
 */
export function createNameResolver(sources: NameSources = systemSources()): Resolve {
  // A process has four threads for these lookups and for files. Names with a dot may belong to
  // any owner; those without one belong to this network, and must not wait for the others.
  const withoutDot = new Semaphore(1);
  const withDot = new Semaphore(1);
  return async (hostname) => {
    const name = hostname.replace(/\.$/, '').toLowerCase();
    const listed = sources.listed(name);
    if (listed.length > 0) return listed;
    if (!name.includes('.') || name.endsWith('.localhost')) {
      return withoutDot.run(() => sources.system(hostname));
    }
    try {
      return await sources.query(name);
    } catch (error) {
      if (isUnanswered(error)) throw error;
      return withDot.run(() => sources.system(hostname));
    }
  };
}

function systemSources(): NameSources {
  const hosts = new HostsFile();
  const names = new NameQuery();
  return {
    listed: (name) => hosts.find(name),
    query: (name) => names.addresses(name),
    system: (name) => dns.lookup(name, { all: true }),
  };
}

import { promises as dns, type LookupAddress } from 'node:dns';
import { HostsFile } from './hosts-file.js';
import { isUnanswered, NameQuery } from './name-query.js';

/**
 * Gives all addresses of a name, or rejects when there is none. Must settle some time: until it
 * does, everybody who asks for the same name waits for the same answer.
 */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** Where names are looked up. */
export interface NameSources {
  /** What this machine knows itself; none when it knows nothing. */
  readonly listed: (name: string) => readonly LookupAddress[];
  /** Asks name servers. */
  readonly query: (name: string) => Promise<readonly LookupAddress[]>;
  /** The operating system's own resolver, which holds a thread of the process until it is done. */
  readonly system: (name: string) => Promise<readonly LookupAddress[]>;
}

/**
 * Looks names up: in the hosts file, then with the name servers, then as the operating system does,
 * which also knows search domains and other directories. Callers choose the names, and may run their
 * name servers: one that does not answer must not keep others from being resolved, as it would in
 * the operating system's resolver, of which only a few run at once.
 */
export function createNameResolver(sources: NameSources = systemSources()): Resolve {
  // A process has four threads for this and for files. Names with a dot, which may be anybody's,
  // do not keep those without, which are of this network.
  const plain = new Turns();
  const dotted = new Turns();
  return async (hostname) => {
    const name = hostname.replace(/\.$/, '').toLowerCase();
    const listed = sources.listed(name);
    if (listed.length > 0) return listed;
    if (!name.includes('.') || name.endsWith('.localhost')) {
      return plain.take(() => sources.system(hostname));
    }
    try {
      return await sources.query(name);
    } catch (error) {
      if (isUnanswered(error)) throw error;
      return dotted.take(() => sources.system(hostname));
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

/** One at a time, in order. */
class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

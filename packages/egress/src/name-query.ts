import { promises as dns, type LookupAddress } from 'node:dns';
import { withTimeout } from '@posthaste/contracts';

const defaultTimeoutMs = 1_500;
const tries = 3;
/** Time after which the system's list of name servers is read again, in ms. */
const renewMs = 30_000;
/** Longest time that the addresses of one family wait for those of the other, in ms. */
const otherFamilyMs = 250;

/** Options of `NameQuery`. */
export interface NameQueryOptions {
  /** Name servers, for example `127.0.0.1:5353`. Default: those of the system. */
  readonly servers?: readonly string[];
  /** Time limit of the first try, in ms; later tries get twice and four times as long. Default 1,500. */
  readonly timeoutMs?: number;
}

/** Asks name servers over its own sockets, so no thread waits for servers that do not respond. */
export class NameQuery {
  readonly #options: NameQueryOptions;
  #resolver: dns.Resolver | undefined;
  #renewedAtMs = 0;

  constructor(options: NameQueryOptions = {}) {
    this.#options = options;
  }

  /**
   * Resolves to the addresses of a name, IPv4 first. Rejects with the error of the name server if
   * there are none. If the two families fail differently, "no response" (`ETIMEOUT` and its like)
   * wins over "no such name".
   */
  async addresses(name: string): Promise<LookupAddress[]> {
    const resolver = this.#current();
    const v4 = resolver.resolve4(name).then((found) => found.map(toAddress(4)));
    const v6 = resolver.resolve6(name).then((found) => found.map(toAddress(6)));
    try {
      await Promise.any([v4, v6]);
    } catch (error) {
      throw mostTransient((error as AggregateError).errors);
    }
    const none = (): LookupAddress[] => [];
    const families = [v4, v6].map((family) => withTimeout(family.catch(none), otherFamilyMs, none));
    return (await Promise.all(families)).flat();
  }

  #current(): dns.Resolver {
    const nowMs = performance.now();
    if (!this.#resolver || nowMs - this.#renewedAtMs > renewMs) {
      this.#renewedAtMs = nowMs;
      const { servers, timeoutMs = defaultTimeoutMs } = this.#options;
      this.#resolver = new dns.Resolver({ timeout: timeoutMs, tries });
      if (servers) this.#resolver.setServers(servers);
    }
    return this.#resolver;
  }
}

/** True if no name server gave an answer, so that the name may exist all the same. */
export function isUnanswered(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === dns.TIMEOUT || code === dns.SERVFAIL || code === dns.CANCELLED;
}

function mostTransient(errors: readonly unknown[]): unknown {
  return errors.find(isUnanswered) ?? errors[0];
}

function toAddress(family: 4 | 6): (address: string) => LookupAddress {
  return (address) => ({ address, family });
}

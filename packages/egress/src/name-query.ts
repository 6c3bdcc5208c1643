import { promises as dns, type LookupAddress } from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';

const defaultTimeoutMs = 1_500;
const tries = 3;
/** When the system's configuration of name servers is read again, in ms. */
const renewMs = 30_000;
/** How long the addresses of one family wait for those of the other, in ms. */
const otherFamilyMs = 250;

export interface NameQueryOptions {
  /** Such as `127.0.0.1:5353`. Default: those of the system. */
  readonly servers?: readonly string[];
  /** How long one may take the first time, in ms; then twice and four times as long. Default 1,500. */
  readonly timeoutMs?: number;
}

/** Asks name servers over sockets of its own: however many do not answer, no thread waits for them. */
export class NameQuery {
  readonly #options: NameQueryOptions;
  #resolver: dns.Resolver | undefined;
  #renewedAtMs = 0;

  constructor(options: NameQueryOptions = {}) {
    this.#options = options;
  }

  /**
   * The addresses of a name, IPv4 first. Rejects with the error of the name server when there are
   * none; `ETIMEOUT` and its like before those that say that there is no such name.
   */
  async addresses(name: string): Promise<LookupAddress[]> {
    const resolver = this.#current();
    const v4 = resolver.resolve4(name).then((found) => found.map(toAddress(4)));
    const v6 = resolver.resolve6(name).then((found) => found.map(toAddress(6)));
    try {
      await Promise.any([v4, v6]);
    } catch (error) {
      throw worst((error as AggregateError).errors);
    }
    const late = sleep(otherFamilyMs, [], { ref: false });
    const none = (): LookupAddress[] => [];
    const families = [v4, v6].map((family) => Promise.race([family.catch(none), late]));
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

/** Whether a name server did not say what it was asked: the name may exist all the same. */
export function isUnanswered(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === dns.TIMEOUT || code === dns.SERVFAIL || code === dns.CANCELLED;
}

function worst(errors: readonly unknown[]): unknown {
  return errors.find(isUnanswered) ?? errors[0];
}

function toAddress(family: 4 | 6): (address: string) => LookupAddress {
  return (address) => ({ address, family });
}

import { TenantRates } from '@posthaste/appsync-server';

/** Questions to the log at the same time, in all and of one realm. */
const maxAtOnce = 4;
const maxOfRealm = 2;
/** Bytes that the questions of one realm read in a second. */
const bytesPerSecond = 16 * 1_048_576;
/** Time after which nobody waits for an answer any more, in ms. */
const maxWaitMs = 5_000;

/** Questions of one realm. */
interface Asking {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Turns of questions to the log. Those of one realm, however many, keep neither the database nor the
 * process from others: realms take turns, and one that has read much is not answered for a moment.
 */
export class LogQuestions {
  readonly #bytes = new TenantRates(bytesPerSecond);
  /** By realm. The next turn is that of the first that may have one. */
  readonly #realms = new Map<string, Asking>();
  #running = 0;

  /**
   * Asks when it is the turn of the realm. Resolves with undefined, without asking, if the realm has
   * read too much or has waited too long. Rejects as `read` does.
   */
  async ask<Answer>(
    realm: string,
    read: () => Promise<Answer | undefined>,
  ): Promise<Answer | undefined> {
    const startedAt = performance.now();
    if (!this.#mayRead(realm)) return undefined;
    const asking = await this.#waitForTurn(realm);
    try {
      const isLate = performance.now() - startedAt > maxWaitMs;
      return isLate || !this.#mayRead(realm) ? undefined : await read();
    } finally {
      this.#end(realm, asking);
    }
  }

  /** Counts what the answer to a question has read. */
  countBytes(realm: string, bytes: number): void {
    const now = Date.now();
    this.#bytes.of(realm, now).charge(bytes, now);
  }

  #mayRead(realm: string): boolean {
    const now = Date.now();
    return this.#bytes.of(realm, now).use(0, now);
  }

  #waitForTurn(realm: string): Promise<Asking> {
    const asking: Asking = this.#realms.get(realm) ?? { running: 0, waiting: [] };
    this.#realms.set(realm, asking);
    return new Promise((resolve) => {
      asking.waiting.push(() => resolve(asking));
      this.#beginNext();
    });
  }

  #beginNext(): void {
    while (this.#running < maxAtOnce) {
      const next = [...this.#realms].find(
        ([, { running, waiting }]) => waiting.length > 0 && running < maxOfRealm,
      );
      if (next === undefined) return;
      const [realm, asking] = next;
      // Moves to the end.
      this.#realms.delete(realm);
      this.#realms.set(realm, asking);
      asking.running += 1;
      this.#running += 1;
      asking.waiting.shift()?.();
    }
  }

  #end(realm: string, asking: Asking): void {
    asking.running -= 1;
    this.#running -= 1;
    if (asking.running === 0 && asking.waiting.length === 0) this.#realms.delete(realm);
    this.#beginNext();
  }
}

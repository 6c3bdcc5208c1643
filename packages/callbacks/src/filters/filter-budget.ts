/** Options of {@link FilterBudget}. */
export interface FilterBudgetOptions {
  /** Processor time that an application gets in each second, in ms. */
  readonly msPerSecond: number;
  /** Monotonic clock, in ms. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

interface Account {
  ms: number;
  at: number;
}

/** Time for which an application that has used nothing may save, in s. */
const savedSeconds = 5;
/** Number of accounts at which those that are full again are forgotten. */
const maxAccounts = 10_000;

/**
 * Processor time that the large filters of each application may use. An application may go below zero
 * with its last filter, and has to save up for that before it matches the next one.
 */
export class FilterBudget {
  readonly #perMs: number;
  readonly #max: number;
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();

  constructor({ msPerSecond, now = () => performance.now() }: FilterBudgetOptions) {
    this.#perMs = msPerSecond / 1_000;
    this.#max = msPerSecond * savedSeconds;
    this.#now = now;
  }

  /** Returns the time that an application has left, in ms; 0 or less when there is none. */
  left(application: string): number {
    const account = this.#accounts.get(application);
    return account ? this.#leftOf(account) : this.#max;
  }

  /** Takes time that an application has used, in ms. */
  charge(application: string, ms: number): void {
    this.#accounts.set(application, { ms: this.left(application) - ms, at: this.#now() });
    if (this.#accounts.size <= maxAccounts) return;
    for (const [name, account] of this.#accounts) {
      if (this.#leftOf(account) >= this.#max) this.#accounts.delete(name);
    }
  }

  #leftOf({ ms, at }: Account): number {
    return Math.min(this.#max, ms + (this.#now() - at) * this.#perMs);
  }
}

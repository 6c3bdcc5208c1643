import { settlesWithin } from '@posthaste/contracts';

/** Position of the next event that a gateway reads from the log. */
export class LogPosition {
  #value = 0n;
  /** Resolved when the value is above theirs. */
  readonly #waiting = new Set<{ readonly position: bigint; readonly resolve: () => void }>();

  get value(): bigint {
    return this.#value;
  }

  moveTo(value: bigint): void {
    this.#value = value;
    for (const { position, resolve } of this.#waiting) if (position < value) resolve();
  }

  /** Resolves with true as soon as the event at the position was read, with false after `timeoutMs`. */
  async passes(position: bigint, timeoutMs: number): Promise<boolean> {
    if (position < this.#value) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { position, resolve };
    this.#waiting.add(waiter);
    const isReached = await settlesWithin(promise, timeoutMs);
    this.#waiting.delete(waiter);
    return isReached;
  }
}

import { RealtimeError } from '@posthaste/appsync-server';

/** Bytes of one application that may wait for the database, before its publishes are refused. */
const maxApplicationBytes = 2 * 1_048_576;

/**
 * Bytes that wait for the database, by application. All gateways write to one partition, one
 * transaction after another: what one application has waiting, all others wait for.
 */
export class WaitingBytes {
  readonly #bytes = new Map<string, number>();

  /** @throws RealtimeError `LimitExceededError` if the application has as much waiting as it may */
  requireLeft(application: string): void {
    if ((this.#bytes.get(application) ?? 0) < maxApplicationBytes) return;
    const message = 'The application has too many events waiting for the database. Try again.';
    throw new RealtimeError('LimitExceededError', 429, message);
  }

  /** Counts bytes until the promise settles, and returns it. */
  async count<Value>(application: string, bytes: number, storing: Promise<Value>): Promise<Value> {
    this.#add(application, bytes);
    try {
      return await storing;
    } finally {
      this.#add(application, -bytes);
    }
  }

  #add(application: string, bytes: number): void {
    const sum = (this.#bytes.get(application) ?? 0) + bytes;
    if (sum > 0) this.#bytes.set(application, sum);
    else this.#bytes.delete(application);
  }
}

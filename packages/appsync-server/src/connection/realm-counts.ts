import { RealtimeError } from '../protocol/realtime-error.js';

/** Things of each realm on this server, up to a limit. */
export class RealmCounts {
  readonly #counts = new Map<string, number>();

  /** @param things name of the things, for people */
  constructor(
    private readonly limit: number,
    private readonly things: string,
  ) {}

  /** Adds one, which has to be removed later. @throws RealtimeError `LimitExceededError` */
  add(realm: string): void {
    this.check(realm);
    this.#counts.set(realm, this.#of(realm) + 1);
  }

  /** Checks that there is place for one more. @throws RealtimeError `LimitExceededError` */
  check(realm: string): void {
    if (this.#of(realm) < this.limit) return;
    const message = `An application has at most ${this.limit} ${this.things} here.`;
    throw new RealtimeError('LimitExceededError', 429, message);
  }

  remove(realm: string): void {
    const count = this.#of(realm) - 1;
    if (count > 0) this.#counts.set(realm, count);
    else this.#counts.delete(realm);
  }

  #of(realm: string): number {
    return this.#counts.get(realm) ?? 0;
  }
}

import { AppSyncError } from './appsync-error.js';

/**
 * Behaviour of a full queue: drop the oldest or the newest item, end the subscription with an error,
 * or `pause`: take nothing until the consumer has read half of it, and then tell it of the gap.
 */
export type OverflowPolicy = 'drop-oldest' | 'drop-newest' | 'error' | 'pause';

/** Items that wait for one consumer. */
export class ItemQueue<Item> {
  readonly #max: number;
  readonly #policy: OverflowPolicy;
  readonly #gap: Item;
  #isPaused = false;
  #items: Item[] = [];
  #waiting: {
    resolve: (result: IteratorResult<Item>) => void;
    reject: (error: unknown) => void;
  }[] = [];
  #end: { readonly error: AppSyncError | undefined } | undefined;
  /** Items that were dropped. */
  dropped = 0;

  /** @param gap item that stands for those that were missed during a pause */
  constructor(max: number, policy: OverflowPolicy, gap: Item) {
    this.#max = max;
    this.#policy = policy;
    this.#gap = gap;
  }

  /** Adds an item. Returns an error if that has ended the queue. */
  push(item: Item): AppSyncError | undefined {
    if (this.#end) return undefined;
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ value: item, done: false });
    else if (this.#isPaused || this.#items.length >= this.#max) return this.#overflow(item);
    else this.#items.push(item);
    return undefined;
  }

  next(): Promise<IteratorResult<Item>> {
    const [item] = this.#items;
    if (this.#items.length > 0) {
      this.#items.shift();
      if (this.#isPaused && this.#items.length <= this.#max / 2) {
        this.#isPaused = false;
        this.#items.push(this.#gap);
      }
      return Promise.resolve({ value: item as Item, done: false });
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined };
      return error ? Promise.reject(error) : Promise.resolve({ value: undefined, done: true });
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the queue behind the items in it. The first consumer that reads on gets the error, if any. */
  end(error?: AppSyncError): void {
    if (this.#end) return;
    this.#end = { error: this.#waiting.length > 0 ? undefined : error };
    const [first, ...others] = this.#waiting;
    this.#waiting = [];
    if (error) first?.reject(error);
    else first?.resolve({ value: undefined, done: true });
    for (const { resolve } of others) resolve({ value: undefined, done: true });
  }

  #overflow(item: Item): AppSyncError | undefined {
    this.dropped += 1;
    this.#isPaused = this.#policy === 'pause';
    if (this.#policy === 'drop-oldest') {
      this.#items.shift();
      this.#items.push(item);
    }
    if (this.#policy !== 'error') return undefined;
    const error = new AppSyncError('receive_failed', `${this.#max} events wait and are not read`);
    this.end(error);
    return error;
  }
}

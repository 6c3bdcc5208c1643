import type { Driver } from '../driver.js';
import type { PublishObserver } from './publish-observer.js';
import type { PublisherSettings } from './publish-options.js';

/** Everything that the batchers of one publisher share. */
export interface PublisherContext {
  readonly driver: Pick<Driver, 'partitionCount' | 'append'>;
  readonly settings: PublisherSettings;
  readonly linger: LingerTimer;
  readonly observer: PublishObserver | undefined;
  /** Clock, in ms since 1970. */
  readonly now: () => number;
  /** Waits after `failed` (1 or more) failed tries. Resolves early when the publisher gives up. */
  readonly backoff: (failed: number) => Promise<void>;
}

/** Something that waits for more records and then sends them. */
export interface Lingering {
  send(): void;
}

/**
 * One linger timer for all partitions: when the first one's time is over, all that wait are sent
 * together, so that a driver can put them into one request.
 */
export class LingerTimer {
  readonly #ms: number;
  #waiting: Lingering[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Calls `send` within the linger time. */
  add(lingering: Lingering): void {
    this.#waiting.push(lingering);
    this.#timer ??= setTimeout(() => this.flush(), this.#ms);
  }

  /** Calls `send` of all that wait now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const lingering of waiting) lingering.send();
  }
}

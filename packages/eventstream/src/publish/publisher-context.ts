import type { Driver } from '../driver.js';
import type { LingerTimer } from './linger.js';
import type { PublishObserver } from './publish-observer.js';
import type { PublisherSettings } from './publish-options.js';

/** What the lanes of one publisher share. */
export interface PublisherContext {
  readonly driver: Pick<Driver, 'partitionCount' | 'append'>;
  readonly settings: PublisherSettings;
  readonly linger: LingerTimer;
  readonly observer: PublishObserver | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Waits after `failed` (1 or more) failed tries. Resolves early when the publisher gives up. */
  readonly backoff: (failed: number) => Promise<void>;
}

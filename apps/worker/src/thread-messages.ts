import type { ErrorCode } from '@posthaste/contracts';
import type { WorkerConfig } from './config.js';
import type { ThreadShare } from './thread-share.js';

/** What a delivery thread is started with. */
export interface ThreadData {
  /** Of the whole process. */
  readonly config: WorkerConfig;
  readonly share: ThreadShare;
  readonly database: { readonly url: string; readonly maxConnections: number };
  readonly logLevel: string;
}

export type ToThread =
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'stop'; readonly limitMs: number };

export type FromThread =
  | { readonly kind: 'ready' }
  /** It cannot start, such as for want of the database. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  | {
      readonly kind: 'report';
      readonly id: number;
      /** As `Registry.getMetricsAsJSON` gives them. */
      readonly metrics: readonly object[];
    };

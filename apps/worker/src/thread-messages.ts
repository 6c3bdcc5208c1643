import type { WorkerConfig } from './config.js';

/** What a delivery thread is started with. */
export interface ThreadData {
  readonly config: WorkerConfig;
  readonly database: { readonly url: string; readonly maxConnections: number };
  readonly logLevel: string;
}

export type ToThread =
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'stop'; readonly limitMs: number };

export type FromThread =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'report';
      readonly id: number;
      /** As `Registry.getMetricsAsJSON` gives them. */
      readonly metrics: readonly object[];
    };

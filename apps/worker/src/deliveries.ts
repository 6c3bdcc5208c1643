import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import {
  CachedEndpointDirectory,
  createDeliverySigner,
  createResultEffects,
  createSecretBox,
  Dispatcher,
  type DispatcherOptions,
  Secrets,
} from '@posthaste/callbacks';
import { createAddressGuard, createEgress } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import { leaseMarginMs } from '@posthaste/settings';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { WorkerConfig } from './config.js';
import { observeDeliveries } from './delivery-metrics.js';
import { openEventOutbox } from './event-outbox.js';
import {
  shareOf,
  shareOfConfig,
  shareOfEndpoints,
  type ThreadShare,
  wholeShare,
} from './thread-share.js';

export interface DeliveriesDeps {
  readonly config: WorkerConfig;
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: Logger;
  /** What this thread has of all limits, when it is one of several. Default: all. */
  readonly share?: ThreadShare | undefined;
}

/** Deliveries that go on until they are stopped. */
export interface Deliveries {
  /**
   * Takes nothing new, finishes what is in hand, leaves the rest after `limitMs` to the end of its
   * leases. May be called twice.
   */
  close(limitMs: number): Promise<void>;
}

const userAgent = 'Posthaste';
/** Attempts in flight at a host that is new or comes back from an outage. */
const initialPerOrigin = 16;
const breakAfter = 20;
const minOpenMs = 1_000;
const maxOpenMs = 30_000;
/** Large bodies in memory at once, in all threads. */
const maxLargeBodyBytes = 32 * 1024 * 1024;

/** Delivers in this thread. @throws PlatformError `DATABASE_*` when the database is not there */
export async function startDeliveries(deps: DeliveriesDeps): Promise<Deliveries> {
  const { db, registry, logger, share = wholeShare } = deps;
  const config = shareOfConfig(deps.config, share);
  const { allowLoopback, allowedNetworks: allow, maxInFlightPerOrigin } = config;
  const telling = await openEventOutbox({ config, db, logger });
  const http = createEgress({
    guard: createAddressGuard({ allowLoopback, allow }),
    maxConnectionsPerOrigin: maxInFlightPerOrigin,
    // It is closed after the dispatcher: whatever is then under way has had its time.
    closeTimeoutMs: 1,
  });
  const dispatcher: Dispatcher = new Dispatcher(
    {
      db,
      http,
      signer: createDeliverySigner(new Secrets(db, createSecretBox(Buffer.from(config.secretKey)))),
      endpoints: shareOfEndpoints(new CachedEndpointDirectory(db), share),
      observer: observeDeliveries(registry, logger, () => dispatcher.inFlight),
      effects: createResultEffects(telling.events),
    },
    toDispatcherOptions(config, share),
  );
  const release = async (): Promise<void> => {
    await Promise.all([http.close(), telling.close()]);
  };
  await dispatcher.start().catch(async (error: unknown) => {
    await release();
    throw error;
  });
  let closed: Promise<void> | undefined;
  return {
    close(limitMs) {
      closed ??= dispatcher.close(limitMs).then(release);
      return closed;
    },
  };
}

function toDispatcherOptions(config: WorkerConfig, share: ThreadShare): DispatcherOptions {
  const { maxInFlightPerOrigin: max } = config;
  return {
    userAgent,
    maxResponseBytes: config.maxResponseBytes,
    holder: `${hostname()}:${process.pid}${threadId === 0 ? '' : `.${threadId}`}`,
    leaseMs: config.leaseMs,
    // Half of it before the attempt's time begins to count, half to write the result after it.
    leaseMarginMs: leaseMarginMs / 2,
    slots: {
      total: config.maxInFlight,
      perApplication: config.maxInFlightPerApplication,
      origin: { max, initial: Math.min(max, initialPerOrigin), breakAfter, minOpenMs, maxOpenMs },
    },
    maxChain: 100,
    maxUnknowns: 10,
    pollMs: 500,
    recordWindowMs: 20,
    orderedRecordWindowMs: 4,
    maxBatch: 256,
    maxLargeBodyBytes: shareOf(maxLargeBodyBytes, share),
  };
}

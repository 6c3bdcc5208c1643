import {
  CachedEndpointDirectory,
  createDeliverySigner,
  createSecretBox,
  Dispatcher,
  type DispatcherOptions,
  resolveDispatcherOptions,
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

/** Delivers in this thread. @throws PlatformError `DATABASE_*` when the database is not there */
export async function startDeliveries(deps: DeliveriesDeps): Promise<Deliveries> {
  const { db, registry, logger, share = wholeShare } = deps;
  const config = shareOfConfig(deps.config, share);
  const { allowLoopback, allowedNetworks: allow, maxInFlightPerOrigin } = config;
  const outbox = await openEventOutbox({ config, db, logger });
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
      events: outbox.events,
    },
    toDispatcherOptions(config, share),
  );
  const release = async (): Promise<void> => {
    await Promise.all([http.close(), outbox.close()]);
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

/** Returns the options that the settings decide; all others have the package's defaults. */
function toDispatcherOptions(config: WorkerConfig, share: ThreadShare): DispatcherOptions {
  return {
    maxResponseBytes: config.maxResponseBytes,
    leaseMs: config.leaseMs,
    // Half of it before the attempt's time begins to count, half to write the result after it.
    leaseMarginMs: leaseMarginMs / 2,
    slots: {
      total: config.maxInFlight,
      perApplication: config.maxInFlightPerApplication,
      origin: { max: config.maxInFlightPerOrigin },
    },
    // The default is meant for a whole process.
    maxLargeBodyBytes: shareOf(resolveDispatcherOptions().maxLargeBodyBytes, share),
  };
}

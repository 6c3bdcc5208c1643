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
import { addressAdvice, leaseMarginMs } from '@posthaste/settings';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { WorkerConfig } from './config.js';
import { observeDeliveries } from './delivery-metrics.js';
import { openEventOutbox } from './event-outbox.js';
import {
  divideConfig,
  divideEndpointLimits,
  divideLimit,
  onlyThread,
  type ThreadPosition,
} from './thread-limits.js';

/** Dependencies of `startDeliveries`. */
export interface DeliveriesDeps {
  readonly config: WorkerConfig;
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: Logger;
  /** Position of this thread, when several threads divide the limits. Default: the only thread. */
  readonly thread?: ThreadPosition | undefined;
}

/** Running deliveries. */
export interface Deliveries {
  /**
   * Leases nothing more and finishes the attempts under way. After `limitMs` it abandons the
   * others: another worker leases them when their leases have expired. Idempotent.
   */
  close(limitMs: number): Promise<void>;
}

/**
 * Starts deliveries in this thread.
 * @throws PlatformError `DATABASE_*` when the database cannot be reached
 */
export async function startDeliveries(deps: DeliveriesDeps): Promise<Deliveries> {
  const { db, registry, logger, thread = onlyThread } = deps;
  const config = divideConfig(deps.config, thread);
  const { allowLoopback, allowedNetworks: allow, maxInFlightPerOrigin } = config;
  // Before anything is opened: options that are wrong throw here.
  const options = resolveDispatcherOptions(toDispatcherOptions(config, thread));
  const outbox = await openEventOutbox({ config, db, logger });
  const http = createEgress({
    guard: createAddressGuard({ allowLoopback, allow, advice: addressAdvice }),
    maxConnectionsPerOrigin: maxInFlightPerOrigin,
    // Closed after the dispatcher: requests that are still open then have used up their time.
    closeTimeoutMs: 1,
  });
  const dispatcher: Dispatcher = new Dispatcher(
    {
      db,
      http,
      signer: createDeliverySigner(new Secrets(db, createSecretBox(Buffer.from(config.secretKey)))),
      endpoints: divideEndpointLimits(new CachedEndpointDirectory(db), thread),
      observer: observeDeliveries(registry, logger, () => dispatcher.inFlight),
      events: outbox.events,
    },
    options,
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

/** Returns the options that come from settings; all others have the package's defaults. */
function toDispatcherOptions(config: WorkerConfig, thread: ThreadPosition): DispatcherOptions {
  return {
    maxResponseBytes: config.maxResponseBytes,
    leaseMs: config.leaseMs,
    // One half is for the time before an attempt starts, the other for writing its result.
    leaseMarginMs: leaseMarginMs / 2,
    minRetryDelayMs: config.minRetryDelayMs,
    slots: {
      total: config.maxInFlight,
      perApplication: config.maxInFlightPerApplication,
      origin: { max: config.maxInFlightPerOrigin },
    },
    // The default is meant for a whole process.
    maxLargeBodyBytes: divideLimit(resolveDispatcherOptions().maxLargeBodyBytes, thread),
  };
}

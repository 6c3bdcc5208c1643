import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import {
  CachedEndpointDirectory,
  createDeliverySigner,
  createResultCompany,
  createSecretBox,
  Dispatcher,
  noEvents,
  Secrets,
} from '@posthaste/callbacks';
import { createAddressGuard, createEgress } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import { leaseMarginMs } from '@posthaste/settings';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { WorkerConfig } from './config.js';
import { observeDeliveries } from './delivery-metrics.js';
import { Housekeeping } from './housekeeping.js';

export interface WorkerDeps {
  readonly config: WorkerConfig;
  /** Needs `callbacksMigrations`. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: Logger;
}

/** A worker that delivers. */
export interface CallbackWorker {
  /** Attempts under way. */
  readonly inFlight: number;
  /**
   * Takes nothing new, finishes what is in hand, leaves the rest after `limitMs` to the end of its
   * leases. The database stays open. May be called twice.
   */
  close(limitMs: number): Promise<void>;
}

const userAgent = 'Posthaste';
/** Attempts in flight at a host that is new or comes back from an outage. */
const initialPerOrigin = 16;
const breakAfter = 20;
const minOpenMs = 1_000;
const maxOpenMs = 30_000;

/** @throws PlatformError `DATABASE_*` when the database is not there */
export async function startCallbackWorker(deps: WorkerDeps): Promise<CallbackWorker> {
  const { config, db, registry, logger } = deps;
  const { allowLoopback, allowedNetworks: allow, maxInFlightPerOrigin } = config;
  const http = createEgress({
    guard: createAddressGuard({ allowLoopback, allow }),
    maxConnectionsPerOrigin: maxInFlightPerOrigin,
  });
  const company = createResultCompany(noEvents);
  const dispatcher: Dispatcher = new Dispatcher(
    {
      db,
      http,
      signer: createDeliverySigner(new Secrets(db, createSecretBox(Buffer.from(config.secretKey)))),
      endpoints: new CachedEndpointDirectory(db),
      observer: observeDeliveries(registry, logger, () => dispatcher.inFlight),
      ...company,
    },
    toDispatcherOptions(config),
  );
  await dispatcher.start();
  const housekeeping = new Housekeeping(db, logger, config);
  let closed: Promise<void> | undefined;
  return {
    get inFlight() {
      return dispatcher.inFlight;
    },
    close(limitMs) {
      closed ??= (async () => {
        await Promise.all([dispatcher.close(limitMs), housekeeping.close()]);
        await http.close();
      })();
      return closed;
    },
  };
}

function toDispatcherOptions(config: WorkerConfig): ConstructorParameters<typeof Dispatcher>[1] {
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
    recordWindowMs: 4,
    maxBatch: 128,
  };
}

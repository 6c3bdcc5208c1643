import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Broker,
  createRealtimeServer,
  type DeliveredBatch,
  type RealtimeServer,
} from '@posthaste/appsync-server';
import { NamespaceCache, readEpoch } from '@posthaste/appsync-server/postgres';
import { backoffMs, PlatformError } from '@posthaste/contracts';
import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Registry } from 'prom-client';
import { isMissingTable } from '../http/problem.js';
import { RepeatedWarnings, type WarningLog } from '../http/repeated-warnings.js';
import { LogBroker } from './log-broker.js';
import { createPlatformAuthorizer, type PlatformAuthorizerOptions } from './platform-authorizer.js';

/** Dependencies of realtime channels. */
export interface RealtimeDeps extends PlatformAuthorizerOptions {
  /** Needs `realtimeMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: WarningLog;
  /** Origins whose pages may use channels, besides those of the gateway itself. */
  readonly allowedOrigins: readonly string[];
}

/** Realtime channels of a gateway. */
export interface Realtime {
  readonly server: RealtimeServer;
  /** Closes the connections evenly over this time, and stops. Idempotent. */
  close(drainMs: number): Promise<void>;
}

const warnEveryMs = 60_000;
const retry = { initialMs: 200, maxMs: 5_000 };

/** Starts the channels. They are refused until the database has answered. */
export function startRealtime(deps: RealtimeDeps): Realtime {
  const { db, registry, logger } = deps;
  const warnings = new RepeatedWarnings(undefined, warnEveryMs);
  const warnOf = (what: string) => (error: unknown) => {
    // The watch of the database reports these, once for the whole gateway.
    if (error instanceof PlatformError && (error.retryable || isMissingTable(error))) return;
    const reason = error instanceof Error ? error.message : String(error);
    warnings.warn(logger, what, `${what}: ${reason}`);
  };
  const log = new PostgresLog({ db });
  const broker = new LogBroker({
    db,
    log,
    readEpoch: () => readEpoch(db),
    onError: warnOf('realtime events of other gateways are not read, which is tried again'),
  });
  const stopping = new AbortController();
  const onStartError = warnOf('realtime channels have not started, which is tried again');
  const namespaces = new NamespaceCache(db, { onError: warnOf('namespaces are not read') });
  void namespaces.start();
  const server = createRealtimeServer({
    authorizers: [createPlatformAuthorizer(deps)],
    namespaces,
    broker: startAgain(broker, { onError: onStartError, signal: stopping.signal }),
    allowedOrigins: deps.allowedOrigins,
    registry,
    onError: warnOf('a realtime operation failed'),
  });
  let closing: Promise<void> | undefined;
  return {
    server,
    close(drainMs) {
      stopping.abort();
      closing ??= server
        .close({ drainMs })
        .then(() => Promise.all([broker.close(), namespaces.close()]))
        .then(() => log.close());
      return closing;
    },
  };
}

/** Returns the broker, whose start is tried again until the database answers. */
function startAgain(
  broker: LogBroker,
  { onError, signal }: { onError: (error: unknown) => void; signal: AbortSignal },
): Broker {
  return {
    get epoch() {
      return broker.epoch;
    },
    get position() {
      return broker.position;
    },
    async start(deliver: (batch: DeliveredBatch) => void) {
      for (let failures = 1; !signal.aborted; failures += 1) {
        try {
          await broker.start(deliver);
          return;
        } catch (error) {
          onError(error);
          const ms = backoffMs(failures, retry, Math.random());
          await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
        }
      }
    },
    append: (batch) => broker.append(batch),
    broadcast: (batch) => broker.broadcast(batch),
    findMissed: (request) => broker.findMissed(request),
    close: () => broker.close(),
  };
}

import type { IncomingMessage } from 'node:http';
import { createRealtimeServer, type RealtimeServer } from '@posthaste/appsync-server';
import { NamespaceCache, readEpoch } from '@posthaste/appsync-server/postgres';
import { PlatformError } from '@posthaste/contracts';
import { createAddressGuard, createEgress } from '@posthaste/egress';
import { PostgresLog, parseTopicRules } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import { Counter, type Registry } from 'prom-client';
import { isMissingTable } from '../http/problem.js';
import { RepeatedWarnings, type WarningLog } from '../http/repeated-warnings.js';
import { registerConfigured, registerPublished } from './application-names.js';
import { ChannelReporter } from './channel-reporter.js';
import { type KafkaFanOutConfig, openKafkaFanOut } from './fan-out/kafka-fan-out.js';
import { Forwarding } from './forwarding.js';
import { LogBroker } from './log-broker.js';
import { GatewayNamespaces } from './namespaces.js';
import { OperationCounts, type OperationLimits } from './operation-limits.js';
import {
  callerOf,
  createLocalAuthorizer,
  createPlatformAuthorizer,
  type PlatformAuthorizerOptions,
} from './platform-authorizer.js';
import { PlatformMirror } from './platform-mirror/platform-mirror.js';
import type { RealtimeFile } from './realtime-file.js';
import { SharedPresence } from './shared-presence.js';

/** Configuration of realtime channels. */
export interface RealtimeConfig {
  readonly file: RealtimeFile;
  /** Longest time over which connections are closed when the gateway stops, in ms. */
  readonly realtimeDrainMs: number;
  /** Time between two `ka` of a connection, and between two pings, in ms. */
  readonly realtimeKeepAliveMs: number;
  /** Rules that map topics to applications: a namespace forwards to none of another application. */
  readonly topicApplications: readonly string[];
  /** Most topics in the event log: a namespace forwards to no new one then. */
  readonly maxTopics: number;
  /** Kafka over which gateways pass events on. Default: they do so over the event log alone. */
  readonly fanOut?: KafkaFanOutConfig | undefined;
}

/** Dependencies of realtime channels. */
export interface RealtimeDeps extends Omit<PlatformAuthorizerOptions, 'guesses'> {
  /** Needs `realtimeMigrations` and `eventstreamMigrations`. May be unavailable at the start. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: WarningLog;
  readonly config: RealtimeConfig;
  readonly access: 'loopback' | 'keys';
  /** Origins whose pages may use channels, besides those of the gateway itself. */
  readonly allowedOrigins: readonly string[];
}

/** Realtime channels of a gateway. */
export interface Realtime {
  readonly server: RealtimeServer;
  /** Log that the channels use. */
  readonly log: PostgresLog;
  /** Namespaces of the file. */
  readonly configured: RealtimeFile['namespaces'];
  /** Reads the namespaces at once, after a change by this process. Does not reject. */
  onNamespacesChanged(): Promise<void>;
  /** Resolves when the end of the event log is known. Does not reject. */
  readonly ready: Promise<void>;
  /** Sets what counts operations. Until then, none is over a limit. */
  limitBy(limits: OperationLimits): void;
  /** Says from which address a request comes, which may be another than that of its socket. */
  setAddress(request: IncomingMessage, address: string): void;
  /**
   * Closes the connections evenly over the configured time, and stops. With few connections it takes
   * less. Publishes are answered meanwhile. Idempotent.
   */
  close(): Promise<void>;
}

const warnEveryMs = 60_000;
/** Networks of webhook authorizers: whoever runs the gateway chose their addresses. */
const anyNetwork = ['0.0.0.0/0', '::/0'];
/** Largest record of a publish, whose events are escaped in it: a publish has 1.2 MB at most. */
const maxRecordBytes = 4_194_304;
/** Longest time between the ends of two connections of a drain, in ms: few clients are no herd. */
const maxDrainStepMs = 50;
/** Time that a process has to stop after the drain, in ms: clients answer the last frames in it. */
const afterDrainMs = 6_000;

/** Returns the longest time of the stop of a process with channels, in ms. */
export function stopLimitMs({ realtimeDrainMs }: Pick<RealtimeConfig, 'realtimeDrainMs'>): number {
  return realtimeDrainMs + afterDrainMs;
}

/** Starts the channels. They are refused until the database has answered. */
export function startRealtime(deps: RealtimeDeps): Realtime {
  const { db, registry, config } = deps;
  const warnOf = createWarnings(deps.logger);
  const topicRules = parseTopicRules(config.topicApplications);
  const log = new PostgresLog({ db, topicRules, maxRecordBytes });
  const onNamespaceError = warnOf('namespaces are not read');
  const stored = new NamespaceCache(db, {
    onChange: () => server.onNamespacesChanged(),
    onError: onNamespaceError,
  });
  const mirror = new PlatformMirror({
    log,
    topicRules,
    defaultApplication: deps.defaultApplication,
    callerOf,
    onError: warnOf('events are not read for realtime channels, which is tried again'),
  });
  const namespaces = new GatewayNamespaces(stored, config.file.namespaces, mirror.namespace);
  const forwarding = new Forwarding({ namespaces, log, maxTopics: config.maxTopics });
  const lost = countLost(registry);
  const onLost = warnOf(
    'a publish did not reach the other gateways, nor the topic of its namespace',
  );
  const onPresenceError = warnOf('members of realtime channels are not kept, which is tried again');
  const presence = new SharedPresence({ db, log, onError: onPresenceError });
  const onKafkaError = warnOf('realtime events do not go over Kafka, which is tried again');
  const broker = new LogBroker({
    db,
    log,
    readEpoch: () => readEpoch(db),
    forward: (batch) => forwarding.forward(batch),
    fanOut: config.fanOut && openKafkaFanOut(config.fanOut, log, onKafkaError),
    onError: warnOf('realtime events of other gateways are not read, which is tried again'),
    onLost(error) {
      lost.inc();
      onLost(error);
    },
    onPresence: (channel) => presence.onChanged(channel),
  });
  const http = createEgress({ guard: createAddressGuard({ allow: anyNetwork }) });
  const onAuthorizerError = warnOf('a webhook authorizer failed, and its callers are refused');
  const counts = new OperationCounts();
  const { states } = deps;
  registerConfigured(states, config.file.applications);
  const addresses = new WeakMap<IncomingMessage, string>();
  const server = createRealtimeServer({
    ...config.file.server,
    authorizers: [
      createPlatformAuthorizer({ ...deps, guesses: counts }, deps.access),
      ...config.file.createAuthorizers({ http, states, onError: onAuthorizerError }),
      ...(deps.access === 'loopback' ? [createLocalAuthorizer(deps)] : []),
    ],
    admit(operation) {
      counts.admit(operation);
      if (operation.operation === 'publish') broker.waiting.requireLeft(operation.identity.realm);
      registerPublished(states, operation);
    },
    addressOf: (request) => addresses.get(request) ?? '',
    allowedOrigins: deps.allowedOrigins,
    namespaces,
    broker,
    presence,
    keepAliveMs: config.realtimeKeepAliveMs,
    registry,
    onError: warnOf('a realtime operation failed'),
  });
  mirror.serve(server);
  const ready = Promise.all([stored.start(), server.ready]).then(() => undefined);
  const reporter = new ChannelReporter(db, {
    listChannels: () => server.allChannels(),
    onError: warnOf('subscribers of channels are not reported'),
  });
  reporter.start();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const enoughMs = server.counts().connections * maxDrainStepMs;
    await server.close({ drainMs: Math.min(config.realtimeDrainMs, enoughMs) });
    await Promise.all([
      mirror.close(),
      broker.close(),
      presence.close(),
      stored.close(),
      reporter.close(),
      http.close(),
    ]);
    await log.close();
  };
  return {
    server,
    log,
    configured: config.file.namespaces,
    onNamespacesChanged: () => stored.refresh().catch(onNamespaceError),
    ready,
    limitBy: (limits) => counts.limitBy(limits),
    setAddress: (request, address) => addresses.set(request, address),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function countLost(registry: Registry): Counter {
  return new Counter({
    name: 'posthaste_realtime_broadcasts_lost_total',
    help: 'Publishes of namespaces that are not durable, which did not reach the other gateways.',
    registers: [registry],
  });
}

function createWarnings(logger: WarningLog): (what: string) => (error: unknown) => void {
  const warnings = new RepeatedWarnings(undefined, warnEveryMs);
  return (what) => (error) => {
    if (error instanceof PlatformError && isReported(error)) return;
    const reason = error instanceof Error ? error.message : String(error);
    warnings.warn(logger, what, `${what}: ${reason}`);
  };
}

/** True for faults that the watch of the database reports, once for the whole gateway. */
function isReported(error: PlatformError): boolean {
  const isOfIssuer = error.code === 'IDENTITY_PROVIDER_UNAVAILABLE';
  const isOfKafka = error.code.startsWith('STREAM_');
  return (error.retryable && !isOfIssuer && !isOfKafka) || isMissingTable(error);
}

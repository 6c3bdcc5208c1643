/**
 * Everything that is used of kafkajs 2.2.4 beyond its public API. Nobody promises it for another
 * version, so the package pins this one. `createKafkaDriver` checks the modules and the objects that
 * exist without a connection. The members of a connection (`lookupRequest`, `requestQueue`) are
 * checked on each new connection. Functions are replaced only on objects that belong to a client of this driver, never on a prototype or in a module of
 * kafkajs: other users of kafkajs in the process see none of it. Why each is replaced:
 * docs/decisions/0006.
 */

import { createRequire } from 'node:module';
import { PlatformError } from '@posthaste/contracts';
import type { Cluster, Kafka } from 'kafkajs';

export interface KafkajsInternals {
  createErrorFromCode(code: number): Error;
}

/** Request of the protocol, and the functions that read its response. */
interface KafkajsRequest {
  readonly request: { readonly apiVersion: number };
  readonly response: { decode(bytes: Buffer): Promise<unknown> };
}

/** A function that creates a request in the newest version that broker and kafkajs know. */
export type CreateRequest = (args: object) => KafkajsRequest;

interface LookupRequest {
  (apiKey: number, definition: unknown): CreateRequest;
  /** Numbers of the requests that `wrapRequest` has wrapped. */
  readonly wrappedKeys?: ReadonlySet<number>;
}

/** Options with which kafkajs creates a cluster object. */
export interface ClusterOptions {
  readonly allowAutoTopicCreation: boolean;
  /** Longest time that metadata is kept, in ms. */
  readonly metadataMaxAge: number;
}

type CreateCluster = (options: ClusterOptions) => Cluster;

/** The requests that wait on one connection. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

/** The connections to one broker. */
interface ConnectionPool {
  readonly pool?: readonly { readonly requestQueue: RequestQueue }[];
}

/** An object that creates the connections of one cluster object. */
interface ConnectionPoolBuilder {
  build(destination?: object): Promise<ConnectionPool>;
}

/** Functions by the module that has them, methods by the module of their class. */
const needed = {
  'kafkajs/src/protocol/error': ['createErrorFromCode'],
  'kafkajs/src/network/requestQueue': ['scheduleCheckPendingRequests'],
  'kafkajs/src/network/connectionPool': ['send'],
  'kafkajs/src/cluster': [
    'connect',
    'disconnect',
    'addMultipleTargetTopics',
    'refreshMetadata',
    'refreshMetadataIfNecessary',
    'findTopicPartitionMetadata',
    'findLeaderForPartitions',
    'findBroker',
    'findGroupCoordinator',
    'fetchTopicsOffset',
  ],
  'kafkajs/src/broker': [
    'disconnect',
    'joinGroup',
    'leaveGroup',
    'heartbeat',
    'offsetCommit',
    'offsetFetch',
  ],
} as const;

type Module = keyof typeof needed;

/**
 * Checks that the modules of kafkajs have the needed functions. Without this check, a missing one
 * would fail later, with an error that does not name the cause.
 * @param load - default: requires the modules of the kafkajs that is installed
 * @throws PlatformError `INTERNAL`, which names what is missing
 */
export function loadKafkajsInternals(
  load: (module: string) => unknown = createRequire(import.meta.url),
): KafkajsInternals {
  const found = new Map<string, Readonly<Record<string, unknown>>>();
  for (const [module, names] of Object.entries(needed)) {
    const members = membersOf(module, load);
    const missing = names.filter((name) => typeof members[name] !== 'function');
    if (missing.length > 0) throw toMissingError(`${missing.join(', ')} of ${module}`);
    found.set(module, members);
  }
  const errors: Module = 'kafkajs/src/protocol/error';
  const { createErrorFromCode } = found.get(errors) as unknown as KafkajsInternals;
  return { createErrorFromCode };
}

/**
 * Calls `adapt` with every cluster object that this client creates (one for each consumer, producer
 * and admin), before it connects. @throws PlatformError `INTERNAL`
 */
export function adaptClusters(kafka: Kafka, adapt: (cluster: Cluster) => void): void {
  const symbol = clusterSymbolOf(kafka);
  const create = createClusterOf(kafka);
  const createAdapted: CreateCluster = (options) => {
    const cluster = create(options);
    adapt(cluster);
    return cluster;
  };
  Object.assign(kafka, { [symbol]: createAdapted });
}

/** Creates a cluster object without a consumer, producer or admin around it. */
export function createCluster(kafka: Kafka, options: ClusterOptions): Cluster {
  return createClusterOf(kafka)(options);
}

/**
 * Stops the timers of idle connections. On every open connection, kafkajs 2.2.4 checks every
 * millisecond if a request waits to be sent. That takes several percent of a core while nothing
 * happens, and makes Node warn of a negative timeout. Sending a request, receiving a response and
 * throttling each start the next check, so a check is only scheduled while a request waits.
 */
export function stopIdleTimers(cluster: Cluster): void {
  const { connectionPoolBuilder: builder } = cluster as {
    readonly connectionPoolBuilder?: ConnectionPoolBuilder;
  };
  if (typeof builder?.build !== 'function') {
    throw toMissingError('connectionPoolBuilder of its clusters');
  }
  const { build } = builder;
  builder.build = async (destination) => {
    const connections = await build(destination);
    const queues = connections.pool?.map(({ requestQueue }) => requestQueue) ?? [];
    const isKnown = (queue: RequestQueue | undefined): boolean =>
      Array.isArray(queue?.pending) && typeof queue.scheduleCheckPendingRequests === 'function';
    if (queues.length === 0 || !queues.every(isKnown)) {
      throw toMissingError('requestQueue of its connections');
    }
    for (const queue of queues) scheduleOnlyWhenPending(queue);
    return connections;
  };
}

function scheduleOnlyWhenPending(queue: RequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

/**
 * Wraps one kind of request that this broker object sends. Does nothing if it is wrapped already;
 * kafkajs drops the wrapper when it connects to the broker again.
 * @param apiKey number of the request in Kafka's protocol
 * @throws PlatformError `INTERNAL`
 */
export function wrapRequest(
  broker: object,
  apiKey: number,
  wrap: (createRequest: CreateRequest) => CreateRequest,
): void {
  const { lookupRequest } = broker as { readonly lookupRequest?: LookupRequest };
  if (typeof lookupRequest !== 'function') throw toMissingError('lookupRequest of its brokers');
  const { wrappedKeys = new Set() } = lookupRequest;
  if (wrappedKeys.has(apiKey)) return;
  const lookupWrapped = (key: number, definition: unknown): CreateRequest => {
    const createRequest = lookupRequest(key, definition);
    return key === apiKey ? wrap(createRequest) : createRequest;
  };
  const wrapped: LookupRequest = Object.assign(lookupWrapped, {
    wrappedKeys: new Set([...wrappedKeys, apiKey]),
  });
  Object.assign(broker, { lookupRequest: wrapped });
}

function clusterSymbolOf(kafka: Kafka): symbol {
  const symbols = Object.getOwnPropertySymbols(kafka);
  const symbol = symbols.find(({ description }) => description === 'private:Kafka:createCluster');
  if (symbol === undefined) throw toMissingError('createCluster of its clients');
  return symbol;
}

function createClusterOf(kafka: Kafka): CreateCluster {
  const members = kafka as unknown as Readonly<Record<symbol, CreateCluster | undefined>>;
  const create = members[clusterSymbolOf(kafka)];
  if (typeof create !== 'function') throw toMissingError('createCluster of its clients');
  return create;
}

/** Returns the prototype of a class that a module exports, else what it exports. */
function membersOf(
  module: string,
  load: (module: string) => unknown,
): Readonly<Record<string, unknown>> {
  try {
    const loaded = load(module);
    return (typeof loaded === 'function' ? loaded.prototype : loaded) ?? {};
  } catch (cause) {
    throw toMissingError(module, cause);
  }
}

function toMissingError(missing: string, cause?: unknown): PlatformError {
  const message = `the kafkajs that is installed lacks ${missing}: install version 2.2.4`;
  return new PlatformError('INTERNAL', message, { cause });
}

import { createRequire } from 'node:module';
import { PlatformError } from '@posthaste/contracts';

/** A connection's queue of requests. */
export interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

/** Makes the request and the reader of its answer, in the version that a broker is asked for. */
export type RequestLookup<Exchange> = (
  apiKey: number,
  definition: unknown,
) => (args: object) => Exchange;

export interface KafkajsInternals {
  createErrorFromCode(code: number): Error;
  /** Of all connections. */
  readonly requestQueue: RequestQueue;
}

/**
 * All that is used of kafkajs beyond its public API: functions by the module that has them, methods
 * by that of their class. It is why its version is pinned: nobody promised them for another one.
 */
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
 * Looks for all of it, once for each driver: what is missing would fail later, and obscurely.
 * @param load - default: requires the modules of the kafkajs that is installed
 * @throws PlatformError `INTERNAL`, which names what is missing
 */
export function loadKafkajsInternals(
  load: (module: string) => unknown = createRequire(import.meta.url),
): KafkajsInternals {
  const found = new Map<string, Readonly<Record<string, unknown>>>();
  for (const [module, names] of Object.entries(needed)) {
    const methods = methodsOf(module, load);
    const missing = names.filter((name) => typeof methods[name] !== 'function');
    if (missing.length > 0) throw lacking(`${missing.join(', ')} of ${module}`);
    found.set(module, methods);
  }
  const get = (module: Module): unknown => found.get(module);
  const { createErrorFromCode } = get('kafkajs/src/protocol/error') as KafkajsInternals;
  return {
    createErrorFromCode,
    requestQueue: get('kafkajs/src/network/requestQueue') as RequestQueue,
  };
}

/** Of a broker, which has it beyond its types. @throws PlatformError `INTERNAL` when it has not */
export function requestLookupOf<Exchange>(broker: object): RequestLookup<Exchange> {
  const { lookupRequest } = broker as { readonly lookupRequest?: unknown };
  if (typeof lookupRequest !== 'function') throw lacking('lookupRequest of its brokers');
  return lookupRequest as RequestLookup<Exchange>;
}

/** Of a class its prototype, else the module itself. */
function methodsOf(
  module: string,
  load: (module: string) => unknown,
): Readonly<Record<string, unknown>> {
  try {
    const loaded = load(module);
    return (typeof loaded === 'function' ? loaded.prototype : loaded) ?? {};
  } catch (cause) {
    throw lacking(module, cause);
  }
}

function lacking(what: string, cause?: unknown): PlatformError {
  const message = `the kafkajs that is installed lacks ${what}: install version 2.2.4`;
  return new PlatformError('INTERNAL', message, { cause });
}

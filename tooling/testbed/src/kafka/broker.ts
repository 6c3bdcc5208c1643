import { Kafka, logLevel } from 'kafkajs';
import { freePort } from '../free-port.js';
import { createDockerNode } from './docker-node.js';
import { createJavaNode } from './java-node.js';
import type { KafkaNode } from './node.js';
import { findKafka, findOwnKafka, type KafkaSource, kafkaAdvice } from './source.js';

/** Longest time of a start, in ms. After a crash the broker checks its logs first. */
const readyTimeoutMs = 60_000;

/** Options of `startKafka`. */
export interface KafkaOptions {
  /** Broker settings in addition to those for tests, for example `{ 'num.partitions': '1' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Further listeners by name, with their protocols: `{ SAFE: 'SASL_SSL' }`. Only for own brokers. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** True starts a broker that may be crashed, even if KAFKA_BROKERS is set. Default false. */
  readonly own?: boolean;
  /** False for a broker that is fast after a slower start, as benchmarks need it. Default true. */
  readonly quickStart?: boolean;
}

/** A running Kafka. */
export interface KafkaBroker {
  readonly kind: KafkaSource['kind'];
  /** Addresses for clients, for example `['127.0.0.1:40001']`. A restart does not change them. */
  readonly brokers: string[];
  /** Addresses of the further listeners, by name. */
  readonly listeners: Readonly<Record<string, string>>;
  /** Process id; undefined if it does not run on this machine, and while it is down. */
  readonly pid: number | undefined;
  /** Starts it again on its data, unless it runs. Resolves when it responds. */
  start(): Promise<void>;
  /** Shuts it down cleanly. */
  stop(): Promise<void>;
  /** Crashes it with SIGKILL. `start` recovers. */
  kill(): Promise<void>;
  /** Returns its log so far. */
  log(): Promise<string>;
  /** Stops it and removes its data. Does nothing for brokers of KAFKA_BROKERS. */
  close(): Promise<void>;
}

/**
 * Returns a running Kafka: the one of KAFKA_BROKERS, else a new one in Docker, else a new one on Java.
 * A new one ends with this process. The first start ever downloads 45 MB of jars, or an image, so it
 * can take minutes.
 * @throws Error if none of the three is available, or it does not start
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const source = await (options.own ? findOwnKafka() : findKafka());
  if (!source) throw new Error(`no Kafka found: ${kafkaAdvice}`);
  if (source.kind === 'external') return externalBroker(source.brokers);
  const port = await freePort();
  const extra = await Promise.all(
    Object.entries(options.listeners ?? {}).map(async ([name, protocol]) => ({
      name,
      protocol,
      port: await freePort(),
    })),
  );
  const listeners = { port, controllerPort: await freePort(), extra };
  const { settings = {}, quickStart = true } = options;
  const node =
    source.kind === 'docker'
      ? await createDockerNode(listeners, settings)
      : await createJavaNode(source.program, { listeners, settings, quickStart });
  const addresses = extra.map((listener) => [listener.name, `127.0.0.1:${listener.port}`]);
  const broker = toBroker(node, {
    kind: source.kind,
    address: `127.0.0.1:${port}`,
    listeners: Object.fromEntries(addresses),
  });
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}

/** Facts of a broker on a node. */
interface NodeFacts {
  readonly kind: KafkaSource['kind'];
  readonly address: string;
  readonly listeners: KafkaBroker['listeners'];
}

/** Returns the broker on a node, which is not started yet. */
export function toBroker(node: KafkaNode, { kind, address, listeners }: NodeFacts): KafkaBroker {
  return {
    kind,
    brokers: [address],
    listeners,
    get pid() {
      return node.pid();
    },
    start: async () => {
      if (node.isRunning()) return;
      await node.launch();
      await node.waitUntilReady(() => responds([address]), readyTimeoutMs);
    },
    stop: node.stop,
    kill: node.kill,
    log: node.log,
    close: node.close,
  };
}

async function externalBroker(brokers: readonly string[]): Promise<KafkaBroker> {
  if (!(await responds(brokers)))
    throw new Error(`the brokers of KAFKA_BROKERS do not respond: ${brokers}`);
  const refuse = async (): Promise<never> => {
    throw new Error(
      'the brokers of KAFKA_BROKERS cannot be stopped by a test: use startKafka({ own: true })',
    );
  };
  return {
    kind: 'external',
    brokers: [...brokers],
    listeners: {},
    pid: undefined,
    start: async () => undefined,
    stop: refuse,
    kill: refuse,
    log: async () => '',
    close: async () => undefined,
  };
}

/** True if the cluster has a broker that serves clients. */
async function responds(brokers: readonly string[]): Promise<boolean> {
  const admin = new Kafka({
    brokers: [...brokers],
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

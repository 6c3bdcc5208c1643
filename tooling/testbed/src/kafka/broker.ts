import { Kafka, logLevel } from 'kafkajs';
import { freePort } from '../free-port.js';
import { createDockerNode } from './docker-node.js';
import { createJavaNode } from './java-node.js';
import type { KafkaNode } from './node.js';
import { findKafka, findOwnKafka, type KafkaSource, kafkaAdvice } from './source.js';

/** A start after a crash checks the logs first. */
const readyTimeoutMs = 60_000;

export interface KafkaOptions {
  /** Broker settings on top of those for tests, such as `{ 'num.partitions': '1' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Further listeners by name, with their protocols, such as `{ SAFE: 'SASL_SSL' }`. Own brokers only. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** A broker of its own, that may be crashed, even when KAFKA_BROKERS is set. Default false. */
  readonly own?: boolean;
}

/** A running Kafka. */
export interface KafkaBroker {
  readonly kind: KafkaSource['kind'];
  /** Addresses for clients, as in `['127.0.0.1:40001']`. They stay the same through restarts. */
  readonly brokers: string[];
  /** Addresses of the further listeners, by name. */
  readonly listeners: Readonly<Record<string, string>>;
  /** Its process; undefined when it is not one of this machine, and while it is down. */
  readonly pid: number | undefined;
  /** Starts it again on its data; returns when it answers. Nothing happens when it runs. */
  start(): Promise<void>;
  /** Stops it in an orderly way. */
  stop(): Promise<void>;
  /** SIGKILL: a crash. `start` recovers. */
  kill(): Promise<void>;
  /** What it has written so far. */
  log(): Promise<string>;
  /** Ends it and removes its data. Brokers of KAFKA_BROKERS are left as they are. */
  close(): Promise<void>;
}

/**
 * Gives a Kafka that answers: the one of KAFKA_BROKERS, else its own in Docker, else its own on
 * Java. Its own one ends with this process. The very first start on Java fetches 45 MB of jars,
 * the first one in Docker an image: allow for minutes.
 * @throws Error when none of the three is there, or it does not start
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
  const { settings = {} } = options;
  const node =
    source.kind === 'docker'
      ? await createDockerNode(listeners, settings)
      : await createJavaNode(source.program, listeners, settings);
  const addresses = extra.map((listener) => [listener.name, `127.0.0.1:${listener.port}`]);
  const broker = ownBroker(source.kind, `127.0.0.1:${port}`, Object.fromEntries(addresses), node);
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}

/** A broker on a node that is ready to be launched. */
export function ownBroker(
  kind: KafkaSource['kind'],
  address: string,
  listeners: KafkaBroker['listeners'],
  node: KafkaNode,
): KafkaBroker {
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
      await node.waitUntilReady(() => answers([address]), readyTimeoutMs);
    },
    stop: node.stop,
    kill: node.kill,
    log: node.log,
    close: node.close,
  };
}

async function externalBroker(brokers: readonly string[]): Promise<KafkaBroker> {
  if (!(await answers(brokers))) throw new Error(`no answer of KAFKA_BROKERS ${brokers}`);
  const refuse = async (): Promise<never> => {
    throw new Error(
      'the brokers of KAFKA_BROKERS are not ours to stop: use startKafka({ own: true })',
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

/** Whether the cluster has a broker that is there for clients. */
async function answers(brokers: readonly string[]): Promise<boolean> {
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

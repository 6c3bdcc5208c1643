import { freePort } from '../free-port.js';
import { type KafkaBroker, toBroker } from './broker.js';
import { createJavaNode, newClusterId } from './java-node.js';
import { findJavaKafka, kafkaAdvice } from './source.js';

/** Several brokers that form one cluster. */
export interface KafkaCluster {
  /** Addresses of all of them. */
  readonly brokers: string[];
  /**
   * The brokers by id. Broker 1 is the only controller: while it is down, no partition gets a new
   * leader.
   */
  readonly nodes: ReadonlyMap<number, KafkaBroker>;
  /** Stops all of them and removes their data. */
  close(): Promise<void>;
}

/**
 * Starts a cluster of `size` brokers on Java, even if KAFKA_BROKERS is set. They end with this process.
 * @param settings settings of every broker, in addition to those for tests
 * @throws Error if there is no Java, or a broker does not start
 */
export async function startKafkaCluster(
  size: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<KafkaCluster> {
  const java = await findJavaKafka();
  if (!java) throw new Error(`a cluster of several brokers needs Java: ${kafkaAdvice}`);
  const clusterId = newClusterId();
  const controllerPort = await freePort();
  const create = async (nodeId: number): Promise<[number, KafkaBroker]> => {
    const port = await freePort();
    const own = nodeId === 1 ? {} : toBrokerOnly(nodeId, port, controllerPort);
    const listeners = { port, controllerPort, extra: [] };
    const options = { listeners, settings: { ...settings, ...own }, clusterId };
    const node = await createJavaNode(java.program, options);
    return [nodeId, toBroker(node, { kind: 'java', address: `127.0.0.1:${port}`, listeners: {} })];
  };
  const nodeIds = Array.from({ length: size }, (_, index) => index + 1);
  const nodes = new Map(await Promise.all(nodeIds.map(create)));
  const close = async (): Promise<void> => {
    await Promise.all([...nodes.values()].map((node) => node.close()));
  };
  try {
    await Promise.all([...nodes.values()].map((node) => node.start()));
  } catch (error) {
    await close();
    throw error;
  }
  return { brokers: [...nodes.values()].flatMap(({ brokers }) => brokers), nodes, close };
}

/** Returns the settings that make a broker that is not a controller. */
function toBrokerOnly(
  nodeId: number,
  port: number,
  controllerPort: number,
): Record<string, string> {
  return {
    'process.roles': 'broker',
    'node.id': `${nodeId}`,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
  };
}

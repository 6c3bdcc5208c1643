import { freePort } from '../free-port.js';
import { type KafkaBroker, ownBroker } from './broker.js';
import { createJavaNode, newClusterId } from './java-node.js';
import { findJavaKafka, kafkaAdvice } from './source.js';

/** Several brokers that are one Kafka. */
export interface KafkaCluster {
  /** Addresses of all of them. */
  readonly brokers: string[];
  /** Each by its id. The first, 1, is the only controller: while it is down no partition changes leaders. */
  readonly nodes: ReadonlyMap<number, KafkaBroker>;
  /** Ends all of them and removes their data. */
  close(): Promise<void>;
}

/**
 * Starts so many brokers, on Java, whatever KAFKA_BROKERS says. They end with this process.
 * @param settings - of every broker, on top of those for tests
 * @throws Error when there is no Java, or one of them does not start
 */
export async function startKafkaCluster(
  size: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<KafkaCluster> {
  const java = await findJavaKafka();
  if (!java) throw new Error(`no Java for several brokers: ${kafkaAdvice}`);
  const id = newClusterId();
  const controllerPort = await freePort();
  const nodes = new Map<number, KafkaBroker>();
  const close = async (): Promise<void> => {
    await Promise.all([...nodes.values()].map((node) => node.close()));
  };
  try {
    for (let nodeId = 1; nodeId <= size; nodeId += 1) {
      const port = await freePort();
      const own = nodeId === 1 ? {} : toFollower(nodeId, port, controllerPort);
      const listeners = { port, controllerPort, extra: [] };
      const node = await createJavaNode(java.program, listeners, { ...settings, ...own }, id);
      nodes.set(nodeId, ownBroker('java', `127.0.0.1:${port}`, {}, node));
    }
    await Promise.all([...nodes.values()].map((node) => node.start()));
  } catch (error) {
    await close();
    throw error;
  }
  return { brokers: [...nodes.values()].flatMap(({ brokers }) => brokers), nodes, close };
}

/** Settings of a broker that is no controller, in place of those of one that is. */
function toFollower(nodeId: number, port: number, controllerPort: number): Record<string, string> {
  return {
    'process.roles': 'broker',
    'node.id': `${nodeId}`,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
  };
}

export interface KafkaListeners {
  /** Port of the broker, the same inside and outside of a container. */
  readonly port: number;
  readonly controllerPort: number;
  /** Address that the broker listens on: 127.0.0.1, or 0.0.0.0 in a container. */
  readonly host: string;
  readonly dataDir: string;
}

/** Settings of one node that is broker and controller, made for tests: small, and quick to start. */
export function kafkaSettings(listeners: KafkaListeners): Record<string, string> {
  const { port, controllerPort, host, dataDir } = listeners;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataDir,
    'num.partitions': '3',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // Groups are ready at once, and notice within a second that a member died.
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // The defaults take 128 MiB and a dozen threads.
    'log.cleaner.dedupe.buffer.size': '1048577',
    'num.network.threads': '1',
    'num.io.threads': '2',
  };
}

/** The text of a `.properties` file. */
export function toProperties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}

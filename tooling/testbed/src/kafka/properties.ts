/** Additional listener of a broker, for tests of TLS and SASL. */
export interface ExtraListener {
  /** Name in the settings of the broker: `listener.name.<name in lower case>.…`. */
  readonly name: string;
  /** `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`. */
  readonly protocol: string;
  readonly port: number;
}

/** Addresses and folder of one node. */
export interface KafkaListeners {
  /** Port of the broker, the same inside and outside of a container. */
  readonly port: number;
  /** Further listeners, also on 127.0.0.1 for clients. */
  readonly extra: readonly ExtraListener[];
  readonly controllerPort: number;
  /** Address that the broker listens on: 127.0.0.1, or 0.0.0.0 in a container. */
  readonly host: string;
  readonly dataDir: string;
}

/** Returns the settings of a node that is broker and controller, made for tests: small and quick to start. */
export function kafkaSettings(listeners: KafkaListeners): Record<string, string> {
  const { port, controllerPort, host, dataDir, extra } = listeners;
  const forClients = [{ name: 'PLAINTEXT', protocol: 'PLAINTEXT', port }, ...extra];
  const addresses = (at: string): string =>
    forClients.map((listener) => `${listener.name}://${at}:${listener.port}`).join();
  const protocols = forClients.map(({ name, protocol }) => `${name}:${protocol}`);
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `${addresses(host)},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': addresses('127.0.0.1'),
    'listener.security.protocol.map': [...protocols, 'CONTROLLER:PLAINTEXT'].join(),
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
    // Groups are ready at once, and notice a dead member within a second.
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // The defaults need 128 MiB and a dozen threads.
    'log.cleaner.dedupe.buffer.size': '1048577',
    'num.network.threads': '1',
    'num.io.threads': '2',
  };
}

/**
 * Settings of a broker that a test kills. It comes back when its former session has ended: here after
 * 2 s, by default after 9 s.
 */
export const quickRecovery: Readonly<Record<string, string>> = {
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
};

/** Returns the text of a `.properties` file. */
export function toProperties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${escapeValue(value)}\n`)
    .join('');
}

/** Escapes line breaks: a property is one line, a certificate has several. */
function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

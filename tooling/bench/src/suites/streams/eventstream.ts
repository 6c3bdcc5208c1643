import type { Section } from '../../report.js';
import { ourStreams, streamPeers } from '../../streams/stream-contenders.js';
import { isWanted, type Suite } from '../../suite.js';
import { measureConsuming } from './consuming.js';
import { measureIdleClients } from './idle.js';
import { measureEventLatency } from './latency.js';
import { measurePostgresStream } from './postgres-log.js';
import { measurePublishing, publishEach, publishFull } from './publishing.js';
import { measureRelay } from './relay.js';
import { fullStreamSizes, quickStreamSizes, type StreamSizes } from './sizes.js';
import type { StreamContext } from './stream-context.js';

/** A row of the suite. */
interface Row {
  readonly description: string;
  measure(context: StreamContext): Promise<Section>;
}

/** The rows, in the order of the report. */
const rows: Readonly<Record<string, Row>> = {
  'publish-each': {
    description: 'published one by one by many callers, each awaiting its own',
    measure: (context) => measurePublishing(context, publishEach),
  },
  'publish-full': {
    description: 'published as fast as possible, next to bare batches',
    measure: (context) => measurePublishing(context, publishFull),
  },
  consume: { description: 'parsed, dispatched and committed', measure: measureConsuming },
  latency: { description: 'published to callback at a steady rate', measure: measureEventLatency },
  idle: { description: 'CPU of clients that have nothing to do', measure: measureIdleClients },
  postgres: { description: 'the postgres stream, one shard', measure: measurePostgresStream },
  relay: { description: 'from the outbox to Kafka, by the worker', measure: measureRelay },
};

/**
 * Creates the suite for the event stream on Kafka and on Postgres, next to bare clients.
 * @param sizes replace the full or quick sizes
 */
export function createEventstreamSuite(sizes?: StreamSizes): Suite {
  return {
    name: 'eventstream',
    description:
      'The event stream: rates, latency and CPU, next to kafkajs and @platformatic/kafka.',
    sections: Object.fromEntries(
      Object.entries(rows).map(([id, { description }]) => [id, description]),
    ),
    peers: streamPeers.map(({ name }) => name),
    async run(bench, options) {
      const peers = streamPeers.filter(({ name }) => options.peers?.includes(name) ?? true);
      const context: StreamContext = {
        bench,
        sizes: sizes ?? (options.quick ? quickStreamSizes : fullStreamSizes),
        contenders: [...ourStreams, ...peers],
      };
      const sections: Section[] = [];
      for (const [id, row] of Object.entries(rows)) {
        if (isWanted(options, id)) sections.push(await row.measure(context));
      }
      return sections;
    },
  };
}

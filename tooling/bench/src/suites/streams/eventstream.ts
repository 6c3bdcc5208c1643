import type { Section } from '../../report.js';
import { streamPeers, streamsOfOurs } from '../../streams/stream-contenders.js';
import { isWanted, type Suite } from '../../suite.js';
import { measureConsuming } from './consuming.js';
import { measureIdleClients } from './idle.js';
import { measureEventLatency } from './latency.js';
import type { MeasuredStreams } from './measured-streams.js';
import { measurePostgresStream } from './postgres-log.js';
import { measurePublishing, publishEach, publishFull } from './publishing.js';
import { measureRelay } from './relay.js';
import { fullStreamSizes, quickStreamSizes, type StreamSizes } from './sizes.js';

interface Row {
  readonly what: string;
  measure(measured: MeasuredStreams): Promise<Section>;
}

/** In the order of the report. */
const rows: Readonly<Record<string, Row>> = {
  'publish-each': {
    what: 'published one by one by many callers, each awaiting its own',
    measure: (measured) => measurePublishing(measured, publishEach),
  },
  'publish-full': {
    what: 'published as fast as it goes, beside bare batches',
    measure: (measured) => measurePublishing(measured, publishFull),
  },
  consume: { what: 'parsed, dispatched and committed', measure: measureConsuming },
  latency: { what: 'published to callback at a steady rate', measure: measureEventLatency },
  idle: { what: 'CPU of clients that have nothing to do', measure: measureIdleClients },
  postgres: { what: 'the postgres stream, one shard', measure: measurePostgresStream },
  relay: { what: 'from the outbox to Kafka, by the worker', measure: measureRelay },
};

/**
 * The speed of the event stream on Kafka and on Postgres, bare clients beside it. With `sizes`,
 * these are measured instead of the full or the quick ones.
 */
export function createEventstreamSuite(sizes?: StreamSizes): Suite {
  return {
    name: 'eventstream',
    description:
      'The event stream: rates, latency and CPU, beside kafkajs and @platformatic/kafka.',
    sections: Object.fromEntries(Object.entries(rows).map(([id, { what }]) => [id, what])),
    peers: streamPeers.map(({ name }) => name),
    async run(bench, options) {
      const peers = streamPeers.filter(({ name }) => options.peers?.includes(name) ?? true);
      const measured: MeasuredStreams = {
        bench,
        sizes: sizes ?? (options.quick ? quickStreamSizes : fullStreamSizes),
        contenders: [...streamsOfOurs, ...peers],
      };
      const sections: Section[] = [];
      for (const [id, row] of Object.entries(rows)) {
        if (isWanted(options, id)) sections.push(await row.measure(measured));
      }
      return sections;
    },
  };
}

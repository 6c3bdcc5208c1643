import { type Client, createClient, createClientOn, newPublish } from '@posthaste/eventstream';
import { createPlatformaticDriver } from '@posthaste/eventstream/platformatic';
import { openPostgres } from '@posthaste/postgres';
import { eventName, eventNamespace, type OrderPayload } from './bench-event.js';
import type {
  ConsumerRequest,
  StreamConsumer,
  StreamContender,
  StreamPublisher,
} from './stream-contender.js';
import type { StreamTarget } from './stream-task.js';

/** A client, with the function that closes everything that was opened for it. */
interface OpenClient {
  readonly client: Client;
  close(): Promise<void>;
}

/** Our client on Kafka, with its default settings. */
export const posthasteStream: StreamContender = toContender('posthaste', openKafkaClient);

/** Our client on the other Kafka driver. */
export const posthastePlatformaticStream: StreamContender = toContender(
  'posthaste on @platformatic/kafka',
  openPlatformaticClient,
);

/** Our client on the postgres stream, with its default settings. */
export const posthastePostgresStream: StreamContender = toContender(
  'posthaste on postgres',
  openPostgresClient,
);

function toContender(
  name: string,
  open: (target: StreamTarget) => Promise<OpenClient>,
): StreamContender {
  return {
    name,
    settings: {},
    openPublisher: async (target) => toPublisher(await open(target), target.topic),
    openConsumer: async (request) => toConsumer(await open(request.target), request),
  };
}

async function openKafkaClient({ brokers }: StreamTarget): Promise<OpenClient> {
  const client = await createClient('', 'kafka', brokers);
  return { client, close: () => client.close() };
}

async function openPlatformaticClient({ brokers }: StreamTarget): Promise<OpenClient> {
  const client = createClientOn('', createPlatformaticDriver({ brokers }));
  return { client, close: () => client.close() };
}

async function openPostgresClient({ databaseUrl }: StreamTarget): Promise<OpenClient> {
  const database = await openPostgres({ url: databaseUrl });
  const client = await createClient('', 'postgres', [], { database });
  const close = async (): Promise<void> => {
    await client.close();
    await database.close();
  };
  return { client, close };
}

function toPublisher({ client, close }: OpenClient, topic: string): StreamPublisher {
  const event = { topic, eventName, namespace: eventNamespace };
  return {
    publish: ({ payload }) => client.publish({ ...event, payload }),
    async publishAll({ payload }, count) {
      const failures: unknown[] = [];
      // One after another: the client delays the acceptance when its buffer is full.
      for (let published = 0; published < count; published += 1) {
        await client.publish(
          newPublish()
            .topic(topic)
            .eventName(eventName)
            .namespace(eventNamespace)
            .payload(payload)
            .errorCallback((_event, error) => failures.push(error)),
        );
      }
      // Flushes the accepted events.
      await close();
      if (failures.length > 0) throw failures[0];
    },
    close,
  };
}

function toConsumer(
  { client, close }: OpenClient,
  { target, groupId, listener }: ConsumerRequest,
): StreamConsumer {
  client.register({
    topic: target.topic,
    eventName,
    groupId,
    offset: -2,
    callback: (_context, event) => {
      if (event === null) return;
      if (listener.kind === 'count') listener.onEvents(1);
      else listener.onPayload(event.payload as unknown as OrderPayload);
    },
  });
  return { close };
}

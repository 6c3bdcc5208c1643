import { type IHeaders, Kafka, logLevel } from 'kafkajs';
import { expect, it, vi } from 'vitest';
import { describeWithKafka } from '../vitest.js';
import { startKafka } from './broker.js';
import { quickRecovery } from './properties.js';
import { sharedKafka } from './shared-kafka.js';

/** The first run fetches the jars or the image. */
const firstRunMs = 240_000;

function connect(brokers: string[]): Kafka {
  return new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50 } });
}

/** Everything in a topic, from its beginning. */
async function readAll(brokers: string[], topic: string, count: number): Promise<string[]> {
  const groupId = `read-${Math.random()}`;
  // Disconnecting waits for the request under way, by default up to 5 s.
  const consumer = connect(brokers).consumer({ groupId, maxWaitTimeInMs: 100 });
  const values: string[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async (payload: {
        message: { value: Buffer | null; headers?: IHeaders };
      }): Promise<void> => {
        values.push(String(payload.message.value));
        if (values.length >= count) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return values.sort();
}

describeWithKafka('startKafka', () => {
  it(
    'serves clients, and keeps what was written through kill and start',
    async () => {
      const settings = { 'num.partitions': '2', ...quickRecovery };
      const kafka = await startKafka({ own: true, settings });
      try {
        const { brokers } = kafka;
        const topic = 'orders';
        const admin = connect(brokers).admin();
        await admin.connect();
        // A broker may not know yet that it leads a new topic; kafkajs's own waiting gives up then.
        await admin.createTopics({ topics: [{ topic }], waitForLeaders: false });
        await vi.waitFor(async () => expect(await admin.fetchTopicOffsets(topic)).toHaveLength(2), {
          timeout: 15_000,
          interval: 100,
        });
        await admin.disconnect();

        const producer = connect(brokers).producer();
        await producer.connect();
        const messages = ['a', 'b', 'c'].map((value) => ({ key: value, value }));
        await producer.send({ topic, messages, acks: -1 });
        expect(await readAll(brokers, topic, 3)).toEqual(['a', 'b', 'c']);

        await kafka.kill();
        await kafka.start();
        expect(kafka.brokers).toEqual(brokers);
        await producer.send({ topic, messages: [{ key: 'd', value: 'd' }], acks: -1 });
        await producer.disconnect();
        expect(await readAll(brokers, topic, 4)).toEqual(['a', 'b', 'c', 'd']);

        await kafka.stop();
        await kafka.start();
        expect(await readAll(brokers, topic, 4)).toEqual(['a', 'b', 'c', 'd']);
      } finally {
        await kafka.close();
      }
    },
    firstRunMs,
  );

  it(
    'reports why a broker did not start',
    async () => {
      const failed = startKafka({ own: true, settings: { 'node.id': 'seven' } });
      await expect(failed).rejects.toThrow(/Invalid value seven/);
    },
    firstRunMs,
  );
});

it('does not stop brokers that it did not start', async () => {
  process.env.KAFKA_BROKERS = '127.0.0.1:1';
  try {
    await expect(startKafka()).rejects.toThrow(
      'the brokers of KAFKA_BROKERS do not respond: 127.0.0.1:1',
    );
  } finally {
    delete process.env.KAFKA_BROKERS;
  }
});

describeWithKafka('sharedKafka', () => {
  it(
    'is the same for all that ask',
    async () => {
      const [one, other] = await Promise.all([sharedKafka(), sharedKafka()]);
      expect(other).toEqual(one);
      const admin = connect(one.brokers).admin();
      await admin.connect();
      expect((await admin.describeCluster()).brokers).not.toEqual([]);
      await admin.disconnect();
    },
    firstRunMs,
  );
});

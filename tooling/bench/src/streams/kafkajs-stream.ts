import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { BenchEvent } from './bench-event.js';
import { type ConsumerRequest, type StreamContender, sendBatches } from './stream-contender.js';
import type { StreamTarget } from './stream-task.js';

const allInSync = -1;
const batches = { batchSize: 100, batchesInFlight: 8 };

/** kafkajs alone: no envelope, no validation. Its consumer counts events, and commits automatically. */
export const kafkajsStream: StreamContender = {
  name: 'kafkajs',
  settings: batches,

  async openPublisher(target) {
    const producer = connect(target).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    await producer.connect();
    const { topic } = target;
    const toMessage = ({ value }: BenchEvent) => ({ key: randomUUID(), value });
    return {
      publish: (event) => producer.send({ topic, acks: allInSync, messages: [toMessage(event)] }),
      publishAll: (event, count) =>
        sendBatches(count, batches, (size) => {
          const messages = Array.from({ length: size }, () => toMessage(event));
          return producer.sendBatch({ acks: allInSync, topicMessages: [{ topic, messages }] });
        }),
      close: () => producer.disconnect(),
    };
  },

  async openConsumer({ target, groupId, listener }: ConsumerRequest) {
    const consumer = connect(target).consumer({ groupId });
    await consumer.connect();
    await consumer.subscribe({ topics: [target.topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch: { messages } }) => {
        if (listener.kind === 'count') return listener.onEvents(messages.length);
        for (const { value } of messages) listener.onPayload(JSON.parse(String(value)));
      },
    });
    return { close: () => consumer.disconnect() };
  },
};

function connect({ brokers }: StreamTarget): Kafka {
  return new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING });
}

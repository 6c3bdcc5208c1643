import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { BenchEvent } from './bench-event.js';
import { type ConsumerRequest, type StreamContender, sendBatches } from './stream-contender.js';
import type { StreamPlace } from './stream-task.js';

const allInSync = -1;
const batches = { batchSize: 100, batchesInFlight: 8 };

/** kafkajs by itself: no envelope, no validation; its consumer counts, and commits by itself. */
export const kafkajsStream: StreamContender = {
  name: 'kafkajs',
  settings: batches,

  async openPublisher(place) {
    const producer = connect(place).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    await producer.connect();
    const { topic } = place;
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

  async openConsumer({ place, groupId, listener }: ConsumerRequest) {
    const consumer = connect(place).consumer({ groupId });
    await consumer.connect();
    await consumer.subscribe({ topics: [place.topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch: { messages } }) => {
        if (listener.kind === 'count') return listener.onEvents(messages.length);
        for (const { value } of messages) listener.onPayload(JSON.parse(String(value)));
      },
    });
    return { close: () => consumer.disconnect() };
  },
};

function connect({ brokers }: StreamPlace): Kafka {
  return new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING });
}

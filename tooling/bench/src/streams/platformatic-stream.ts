import { randomUUID } from 'node:crypto';
import { Consumer, Producer } from '@platformatic/kafka';
import type { BenchEvent } from './bench-event.js';
import { type ConsumerRequest, type StreamContender, sendBatches } from './stream-contender.js';
import type { StreamTarget } from './stream-task.js';

const allInSync = -1;
const commitIntervalMs = 1_000;
const batches = { batchSize: 100, batchesInFlight: 8 };

/** @platformatic/kafka alone: no envelope, no validation. It commits automatically. */
export const platformaticStream: StreamContender = {
  name: '@platformatic/kafka',
  settings: batches,

  async openPublisher(target) {
    const producer = new Producer({ ...toOptions(target), autocreateTopics: false });
    const toMessage = ({ value }: BenchEvent) => ({
      topic: target.topic,
      key: Buffer.from(randomUUID()),
      value,
    });
    return {
      publish: (event) => producer.send({ acks: allInSync, messages: [toMessage(event)] }),
      publishAll: (event, count) =>
        sendBatches(count, batches, (size) => {
          const messages = Array.from({ length: size }, () => toMessage(event));
          return producer.send({ acks: allInSync, messages });
        }),
      close: () => producer.close(),
    };
  },

  async openConsumer({ target, groupId, listener }: ConsumerRequest) {
    const consumer = new Consumer({ ...toOptions(target), groupId });
    const stream = await consumer.consume({
      topics: [target.topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      // In ms. The default commits after every message.
      autocommit: commitIntervalMs,
    });
    stream.on('data', ({ value }) => {
      if (listener.kind === 'count') listener.onEvents(1);
      else listener.onPayload(JSON.parse(String(value)));
    });
    return { close: () => consumer.close(true) };
  },
};

function toOptions({ brokers }: StreamTarget) {
  return { clientId: 'bench', bootstrapBrokers: [...brokers] };
}

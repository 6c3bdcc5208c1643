import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer } from '@platformatic/kafka';
import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { beforeAll, expect, it, vi } from 'vitest';
import { createPlatformaticDriver } from '../src/drivers/platformatic/platformatic-driver.js';
import { append, createTopic, toSubscription } from './kafka-topic.js';
import { commitAll, RecordingHandler } from './recording-handler.js';

const waitOptions = { timeout: 15_000, interval: 20 };
const heartbeatIntervalMs = 200;

describeWithKafka(
  'a consumer of @platformatic/kafka that cannot be closed',
  { timeout: 60_000 },
  () => {
    let kafka: SharedKafka;
    beforeAll(async () => {
      kafka = await sharedKafka();
    }, 240_000);

    it('leaves the assignment of its successor alone when it joins again', async () => {
      const topic = await createTopic(kafka.brokers);
      const driver = createPlatformaticDriver({ brokers: kafka.brokers, heartbeatIntervalMs });
      const joins = vi.spyOn(Consumer.prototype, 'joinGroup');
      const handler = new RecordingHandler();
      const subscription = driver.subscribe(toSubscription(topic), handler);
      await vi.waitFor(() => expect(handler.log).toEqual(['assigned 0']), waitOptions);
      const ended = joins.mock.contexts[0] as unknown as Consumer;
      const forever = new Promise<void>(() => undefined);
      const closing = vi.spyOn(ended, 'close').mockReturnValue(forever as never);
      // It goes on with its heartbeats, and joins again as soon as its successor has joined.
      ended.emit('error', new Error('the connection broke'));
      await vi.waitFor(() => expect(handler.log).toHaveLength(3), waitOptions);
      await sleep(heartbeatIntervalMs * 5);
      await append(driver, topic, ['a']);
      await vi.waitFor(() => expect(handler.values).toEqual(['a']), waitOptions);
      await commitAll(subscription, handler);
      expect(handler.log).toEqual(['assigned 0', 'lost 0', 'assigned 0']);
      closing.mockRestore();
      await Promise.all([ended.close(), driver.close()]);
    });
  },
);

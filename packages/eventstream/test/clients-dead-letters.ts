import { expect, it } from 'vitest';
import { collectIds, onWire, publishNumbers, type StartClientFixture } from './client-fixture.js';
import { administer, createTopic } from './kafka-topic.js';

const fromStart = { offset: -2 } as const;
const quickRetry = { maxAttempts: 3, initialMs: 5, maxMs: 10 };

/** Registers the test of dead letters that cannot be written. */
export function testDeadLetters(start: StartClientFixture, brokers: () => string[]): void {
  it('a partition whose dead letters cannot be written is blocked, is reported, and continues later', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic(2);
    const deadLetters = onWire(`${topic}.dlq`);
    const limit = async (value: string): Promise<void> => {
      const configEntries = [{ name: 'max.message.bytes', value }];
      const resources = [{ type: 2, name: deadLetters, configEntries }];
      await administer(brokers(), (admin) =>
        admin.alterConfigs({ validateOnly: false, resources }),
      );
    };
    await createTopic(brokers(), { topic: deadLetters });
    await limit('1');
    const alarms: string[] = [];
    const raise = (_details: object, message: string): unknown => alarms.push(message);
    const logger = { error: raise, warn: raise, info: raise, debug: raise };
    const client = await open({ retry: quickRetry, logMode: 'error', logger });
    const got: number[] = [];
    client.register({
      topic,
      groupId: topic,
      ...fromStart,
      callback: (_ctx, event) => {
        const { number } = Object(event?.payload);
        if (number === 1) throw new Error('never');
        got.push(number);
      },
    });
    await publishNumbers(client, topic, 1, 2);
    // Enough keys for both partitions.
    for (let number = 10; number < 20; number += 1) {
      await client.publish({ topic, eventName: 'placed', key: `${number}`, payload: { number } });
    }
    const blocked = async (): Promise<readonly number[]> =>
      (await client.health()).consumers[0]?.blockedPartitions ?? [];
    await until(async () => expect(await blocked()).toHaveLength(1));
    expect((await client.health()).consumers[0]?.blocks).toMatchObject([
      { topic: deadLetters, error: { code: 'EVENT_TOO_LARGE' } },
    ]);
    const [blockedPartition] = await blocked();
    await until(() => expect(alarms).toContainEqual(expect.stringMatching(/is blocked/)));
    await until(() => expect(got.length).toBeGreaterThan(0));
    expect(got).not.toContain(2);
    const [lag] = await client.lag(topic, topic);
    const waiting = lag?.partitions.find(({ partition }) => partition === blockedPartition);
    expect(waiting?.lag).toBeGreaterThanOrEqual(2n);
    await limit('1000000');
    await until(() => expect(got).toContain(2));
    const rest = Array.from({ length: 10 }, (_, index) => index + 10);
    await until(() => expect(got.toSorted((a, b) => a - b)).toEqual([2, ...rest]));
    expect(await blocked()).toEqual([]);
    const dead: string[] = [];
    client.register({ topic: `${topic}.dlq`, ...fromStart, callback: collectIds(dead) });
    await until(() => expect(dead).toEqual(['1']));
  });
}

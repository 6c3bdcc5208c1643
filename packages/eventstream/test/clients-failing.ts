import { expect, it } from 'vitest';
import { failedRecordHeaders } from '../src/consume/failed-record.js';
import type { StoredRecord } from '../src/record.js';
import {
  collectIds,
  newTopicName,
  onWire,
  publishNumbers,
  type StartClientFixture,
} from './client-fixture.js';

const fromStart = { offset: -2 } as const;
const quickRetry = { maxAttempts: 3, initialMs: 5, maxMs: 10 };
const never = (): never => {
  throw new Error('never');
};

/** Registers the tests of records that cannot be handled or stored. */
export function testFailing(start: StartClientFixture): void {
  it('a handler that always throws: its event becomes a dead letter, the next event is handled', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const client = await open({ retry: quickRetry });
    const calls: string[] = [];
    const dead: StoredRecord[] = [];
    client.register({
      topic,
      groupId: topic,
      ...fromStart,
      callback: (ctx, event) => {
        calls.push(`${event?.id} attempt ${ctx.attempt}`);
        if (event?.id === '1') never();
      },
    });
    const collectDead = ({ record }: { record: StoredRecord | undefined }): void => {
      if (record) dead.push(record);
    };
    client.register({ topic: `${topic}.dlq`, ...fromStart, callback: collectDead });
    await publishNumbers(client, topic, 1, 2);
    await until(() => expect(dead).toHaveLength(1));
    await until(() => expect(calls.at(-1)).toBe('2 attempt 1'));
    expect(calls.slice(0, -1)).toEqual(['1 attempt 1', '1 attempt 2', '1 attempt 3']);
    expect(dead[0]?.key?.toString()).toBe('order-7');
    expect(JSON.parse(String(dead[0]?.value))).toMatchObject({ id: '1', payload: { number: 1 } });
    expect(dead[0]?.headers).toMatchObject({
      [failedRecordHeaders.topic]: onWire(topic),
      [failedRecordHeaders.partition]: '0',
      [failedRecordHeaders.offset]: '0',
      [failedRecordHeaders.timestamp]: expect.stringMatching(/^\d{13}$/),
      [failedRecordHeaders.group]: onWire(topic),
      [failedRecordHeaders.error]: 'never',
      [failedRecordHeaders.attempts]: '3',
    });
  });

  it.for([true, false])(
    'an unreadable record (to the dead letters: %s) does not block the others',
    async (sendErrorDlq, { onTestFinished }) => {
      const { open, newTopic, append, until } = start(onTestFinished);
      const topic = await newTopic();
      const poison = ['no JSON', 'null', '{"name":7}'];
      await append(topic, poison);
      const client = await open();
      await publishNumbers(client, topic, 1);
      const got: string[] = [];
      const subscription = { topic, groupId: topic, ...fromStart, sendErrorDlq };
      client.register({ ...subscription, callback: collectIds(got) });
      await until(() => expect(got).toEqual(['1']));
      await until(async () =>
        expect((await client.lag(topic, topic))[0]?.partitions[0]?.lag).toBe(0n),
      );
      const consumed = (await client.metrics()).find(({ name }) =>
        name.endsWith('_consumed_total'),
      );
      const outcome = sendErrorDlq ? 'dead' : 'unreadable';
      const ofPoison = consumed?.samples.find(({ labels }) => labels.outcome === outcome);
      expect(ofPoison?.value).toBe(poison.length);
      if (!sendErrorDlq) return;
      const dead: string[] = [];
      const callbackRaw = (_ctx: unknown, value: Buffer | null): unknown => dead.push(`${value}`);
      client.register({ topic: `${topic}.dlq`, ...fromStart, callbackRaw });
      await until(() => expect(dead.toSorted()).toEqual(poison.toSorted()));
    },
  );

  it('an event over the size limit fails alone, the others of its batch are stored', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    // All in one batch.
    const client = await open({ maxBatchBytes: 10_000_000, lingerMs: 100 });
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4, 5].map((number) =>
        client.publish({
          topic,
          eventName: 'placed',
          key: 'order-7',
          payload: { number, text: 'x'.repeat(number === 3 ? 1_100_000 : 100) },
        }),
      ),
    );
    const [tooLarge, ...others] = outcomes.filter(({ status }) => status === 'rejected');
    expect(others).toEqual([]);
    expect(tooLarge).toBe(outcomes[2]);
    expect(tooLarge).toMatchObject({ reason: { code: 'EVENT_TOO_LARGE' } });
    const got: unknown[] = [];
    client.register({
      topic,
      groupId: newTopicName(),
      ...fromStart,
      callback: (_ctx, event) => got.push(Object(event?.payload).number),
    });
    await until(() => expect(got).toEqual([1, 2, 4, 5]));
  });
}

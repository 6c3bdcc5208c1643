import { expect, it } from 'vitest';
import { collectIds, onWire, type StartClientFixture } from './client-fixture.js';
import { appendInTransactions } from './kafka-topic.js';

/** Registers the test of a group that reads what a transactional producer has written. */
export function testTransactions(start: StartClientFixture, brokers: () => string[]): void {
  it('a group has a lag of 0 behind transactions, also behind aborted ones', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const values = (...ids: string[]): string[] =>
      ids.map((id) => JSON.stringify({ id, name: 'placed' }));
    const client = await open();
    const got: string[] = [];
    client.register({ topic, groupId: topic, offset: -2, callback: collectIds(got) });
    const untilRead = (): Promise<unknown> =>
      until(async () => {
        const [lag] = await client.lag(topic, topic);
        expect(lag?.partitions).toMatchObject([{ lag: 0n }]);
        expect(lag?.partitions[0]?.committed).toBe(lag?.partitions[0]?.end);
      });
    await appendInTransactions(brokers(), onWire(topic), [
      { values: values('1', '2'), ending: 'commit' },
      { values: values('aborted'), ending: 'abort' },
      { values: values('3'), ending: 'commit' },
    ]);
    await until(() => expect(got).toEqual(['1', '2', '3']));
    await untilRead();
    await appendInTransactions(brokers(), onWire(topic), [
      { values: values('aborted', 'aborted'), ending: 'abort' },
    ]);
    await until(async () => {
      const [lag] = await client.lag(topic, topic);
      expect(lag?.partitions[0]?.end).toBe(10n);
    });
    await untilRead();
    expect(got).toEqual(['1', '2', '3']);
  });
}

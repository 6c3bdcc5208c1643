import { createEnvelope, fromCloudEvent } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestLog, type TestLog } from '../../../../test/open-log.js';
import { offsetBeginning } from '../../../driver.js';
import { encodeEnvelope } from '../../../envelope/encode.js';
import { toHeaders } from '../../../envelope/headers.js';
import type { StoredRecord } from '../../../record.js';
import type { LogEvent } from './append-events.js';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function eventOf(more: Partial<LogEvent> = {}): LogEvent {
  const envelope = createEnvelope({
    name: 'order.placed',
    namespace: 'größer',
    userId: 'user-1',
    payload: { text: '<"\u2028🚀">', n: 9007199254740993n },
  });
  return { topic: 'orders', key: 'ключ', envelope, ...more };
}

describe.each(['postgres', 'embedded'] as const)('appending events on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('an event', () => {
    let test: TestLog;
    beforeEach(async () => {
      test = await openTestLog(engine, { partitions: 3 });
    });
    afterEach(() => test.close());

    const append = (...events: readonly LogEvent[]): Promise<void> =>
      test.db.transaction((tx) => test.log.appendEvents(tx, events));
    const readAll = (): Promise<readonly StoredRecord[]> =>
      test.db.transaction(async (tx) => {
        const request = { topics: 'all', groupId: 'g', limit: 100 } as const;
        const found = { ...request, startOffset: offsetBeginning };
        return (await test.log.readGroupBatch(tx, found)).records;
      });
    /** Returns the record that a publisher would have appended. */
    const asPublished = ({ topic, key, envelope, traceparent: trace }: LogEvent): object => ({
      topic,
      key: Buffer.from(key),
      value: encodeEnvelope(envelope, 'default'),
      headers: toHeaders(envelope, trace),
    });

    it('becomes the same record as a publisher’s, headers included', async () => {
      const events = [eventOf(), eventOf({ traceparent }), eventOf({ topic: 'payments' })];
      await append(...events);
      const expected = events.map(asPublished);
      expect(await readAll()).toEqual(
        expect.arrayContaining(expected.map((record) => expect.objectContaining(record))),
      );
      const page = await test.log.listEvents({
        within: 'all',
        topics: ['orders'],
        name: 'order.placed',
      });
      expect(page.records).toMatchObject(expected.slice(0, 2));
    });

    it('is found by the type that it came with as a CloudEvent', async () => {
      const foreign = { specversion: '1.0', id: '1', source: '//a', type: '/a b', data: [1] };
      const event = eventOf({ envelope: fromCloudEvent(foreign) });
      await append(event, eventOf());
      const page = await test.log.listEvents({ within: 'all', topics: ['orders'], name: '/a b' });
      expect(page.records).toEqual([expect.objectContaining(asPublished(event))]);
      expect(page.records[0]?.headers).toMatchObject({ ce_type: '/a b', ce_source: '//a' });
    });

    it('has no headers when it is not a CloudEvent', async () => {
      const envelope = { ...eventOf().envelope, id: '' };
      await append(eventOf({ envelope }));
      expect((await readAll()).map(({ headers }) => headers)).toEqual([{}]);
    });

    it('may have a name that a column cannot hold', async () => {
      const named = eventOf({ envelope: createEnvelope({ name: 'a\0b', namespace: 'n' }) });
      await append(named);
      expect(await readAll()).toMatchObject([asPublished(named)]);
    });

    it('is in the partition of its key, behind earlier records', async () => {
      const keys = Array.from({ length: 30 }, (_, n) => `key ${n % 7}`);
      const events = keys.map((key, n) =>
        eventOf({ key, envelope: createEnvelope({ name: `e${n}`, namespace: 'n' }) }),
      );
      await append(...events);
      const records = await readAll();
      for (const key of new Set(keys)) {
        const own = records.filter((record) => record.key?.toString() === key);
        expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
        const names = own.map(({ headers }) => headers.ce_type);
        expect(names).toEqual(
          events.filter((event) => event.key === key).map(({ envelope }) => envelope.name),
        );
      }
      // The same partition as with `append`.
      await test.db.transaction((tx) =>
        test.log.append(tx, [
          { topic: 'orders', key: Buffer.from('key 3'), value: null, headers: {} },
        ]),
      );
      const [tombstone] = await readAll();
      const { partition } = records.find((record) => record.key?.toString() === 'key 3') ?? {};
      expect(tombstone).toMatchObject({ partition, value: null });
    });

    it('is refused when it is too large, together with all others', async () => {
      const payload = { text: 'ü'.repeat(600_000) };
      const large = eventOf({ envelope: createEnvelope({ name: 'e', namespace: 'n', payload }) });
      await expect(append(eventOf(), large)).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
      expect(await readAll()).toEqual([]);
    });
  });
});

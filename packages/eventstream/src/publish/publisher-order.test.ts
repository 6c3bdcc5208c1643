import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMemoryDriver } from '../drivers/memory/memory-driver.js';
import { MemoryStream } from '../drivers/memory/memory-stream.js';
import { Publisher } from './publisher.js';

const topic = 'orders';

/** Outcome of a try: not written, written without an answer, or written in spite of an error. */
const fault = fc.record({
  code: fc.constantFrom('STREAM_UNAVAILABLE' as const, 'EVENT_OUTCOME_UNKNOWN' as const),
  stored: fc.boolean(),
  times: fc.integer({ min: 1, max: 3 }),
});

const scenario = fc.record({
  faults: fc.array(
    fault.map(({ code, stored, times }) => ({
      code,
      times,
      // Only a try with an unknown outcome may store records.
      stored: stored && code === 'EVENT_OUTCOME_UNKNOWN',
    })),
    { maxLength: 4 },
  ),
  partitions: fc.integer({ min: 1, max: 3 }),
  maxBatchRecords: fc.integer({ min: 1, max: 7 }),
  maxBufferBytes: fc.constantFrom(1, 200, 100_000),
  keys: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 }),
});

it('keeps the order of each key through failures, loses nothing, and repeats only unknown outcomes', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ faults, partitions, keys, ...options }) => {
      const stream = new MemoryStream({ partitions });
      for (const each of faults) stream.failAppends(each);
      const publisher = new Publisher(
        { driver: createMemoryDriver(stream), random: () => 0 },
        { ...options, lingerMs: 0, initialBackoffMs: 1, maxBackoffMs: 1 },
      );
      const sent = keys.map((key, index) => {
        const value = Buffer.from(String(index));
        return publisher.send(topic, { key: Buffer.from(`k${key}`), value, headers: {} });
      });
      await Promise.all(sent);
      await publisher.close(1_000);
      const stored = stream.records(topic);
      const mayDouble = faults.some((each) => each.stored);
      for (const key of new Set(keys)) {
        const wanted = keys.flatMap((each, index) => (each === key ? [index] : []));
        const own = stored.filter((record) => String(record.key) === `k${key}`);
        const found = own.map(({ value }) => Number(value));
        // First and last copies are both in order: a batch is repeated as a whole.
        expect([...new Set(found)]).toEqual(wanted);
        expect([...new Set(found.toReversed())].reverse()).toEqual(wanted);
        if (!mayDouble) expect(found).toHaveLength(wanted.length);
      }
    }),
    { numRuns: 60 },
  );
});

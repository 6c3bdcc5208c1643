import { expect } from 'vitest';
import { append, outgoing, read, request, testOptions } from './conformance-requests.js';
import { appendTo, type ConformanceTarget, type ConformanceTest } from './conformance-target.js';

/** Registers the tests of appending with a driver. */
export function testAppending(it: ConformanceTest, target: () => ConformanceTarget): void {
  it('delivers appended records in order', testOptions, async ({ connect, newTopic, until }) => {
    const driver = await connect();
    const topic = await newTopic(2);
    const began = Date.now();
    const records = [
      outgoing('a', { headers: { traceparent: '00-1', ce_id: 'ü', empty: '' } }),
      outgoing('b', { key: null }),
      outgoing('c', { value: null }),
      outgoing('d', { key: Buffer.from([0, 255, 128]), value: Buffer.from([255, 0]) }),
    ];
    await appendTo(driver, { topic, partition: 1, records });
    await append(driver, { topic, partition: 1 }, ['e']);
    const { handler } = read(driver, request(topic));
    await until(() => expect(handler.received).toHaveLength(5));
    for (const [index, record] of [...records, outgoing('e')].entries()) {
      expect(handler.received[index]).toMatchObject({ ...record, topic, partition: 1 });
    }
    expect(handler.received[1]?.headers).toEqual({});
    const offsets = handler.received.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a - b)));
    expect(new Set(offsets).size).toBe(5);
    for (const { timestampMs } of handler.received) {
      expect(Math.abs(timestampMs - began)).toBeLessThan(60_000);
    }
  });

  it(
    'keeps headers that come twice, are null or are not UTF-8',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      const rawHeaders = [
        { name: 'twice', value: Buffer.from('1') },
        { name: 'bytes', value: Buffer.of(0xff, 0) },
        { name: 'none', value: null },
        { name: 'empty', value: Buffer.alloc(0) },
        { name: 'twice', value: Buffer.from('2') },
      ];
      const headers = { twice: '2', bytes: '\ufffd\0', empty: '' };
      const records = [outgoing('a', { headers: {}, rawHeaders }), outgoing('b')];
      await appendTo(driver, { topic, partition: 0, records });
      const { handler } = read(driver, request(topic));
      await until(() => expect(handler.received).toHaveLength(2));
      const [first, second] = handler.received;
      expect(first?.rawHeaders).toEqual(rawHeaders);
      expect(first?.headers).toEqual(headers);
      expect(second?.rawHeaders).toBeUndefined();
      expect(second?.headers).toEqual({});
    },
  );

  it(
    'delivers thousands of records, and skips none',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      const texts = Array.from({ length: 5_000 }, (_, index) => `record ${index}`);
      for (let from = 0; from < texts.length; from += 500) {
        await append(driver, topic, texts.slice(from, from + 500));
      }
      const { handler } = read(driver, request(topic));
      await until(() => expect(handler.received).toHaveLength(texts.length));
      expect(handler.values).toEqual(texts);
    },
  );

  it(
    'writes nothing when one of the records is too large',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      const value = Buffer.alloc(target().tooLargeBytes);
      const records = [outgoing('small'), outgoing('large', { value }), outgoing('small')];
      const appended = appendTo(driver, { topic, partition: 0, records });
      await expect(appended).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
      await append(driver, topic, ['after']);
      const { handler } = read(driver, request(topic));
      await until(() => expect(handler.values).toEqual(['after']));
    },
  );

  it('returns the number of partitions of a topic', testOptions, async ({ connect, newTopic }) => {
    const driver = await connect();
    expect(await driver.partitionCount(await newTopic(3))).toBe(3);
  });

  it(
    'answers a ping, and refuses appends after it is closed',
    testOptions,
    async ({ connect, newTopic }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await driver.ping();
      await driver.close();
      await driver.close();
      await expect(append(driver, topic, ['a'])).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
    },
  );
}

import { matchesEventName, toEventPattern } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  appendMany,
  openTestLog,
  recordOf,
  type TestLog,
  valuesOf,
} from '../../../../test/open-log.js';
import type { LogRecord } from '../append/append.js';
import type { EventPage, EventQuery } from './event-pages.js';

const orders: EventQuery = { within: 'all', topics: ['orders'] };

function named(name: string, value: string, key?: string): LogRecord {
  return { ...recordOf(value, key), headers: { ce_type: name } };
}

/** Returns all pages up to the last one. */
async function pagesOf({ log }: TestLog, query: EventQuery): Promise<EventPage[]> {
  const pages = [await log.listEvents(query)];
  for (let page = pages[0]; page && !page.isLast; pages.push(page)) {
    page = await log.listEvents({ ...query, cursor: page.next });
  }
  return pages;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(['postgres', 'embedded'] as const)('pages of events on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    beforeEach(async () => {
      test = await openTestLog(engine, { partitions: 3 });
    });
    afterEach(() => test.close());

    it('have every record exactly once', async () => {
      const keys = Array.from({ length: 40 }, (_, i) => `key ${i % 7}`);
      for (let i = 0; i < 40; i += 5) {
        await append(test, ...keys.slice(i, i + 5).map((key, n) => recordOf(`${i + n}`, key)));
        await append(test, recordOf(`other ${i}`, 'k', 'other'));
      }
      const pages = await pagesOf(test, { within: 'all', topics: ['orders', 'other'], limit: 7 });
      for (const page of pages.slice(0, -1)) expect(page.records.length).toBeLessThanOrEqual(7);
      const records = pages.flatMap((page) => page.records);
      expect(new Set(valuesOf(records)).size).toBe(48);
      expect(records).toHaveLength(48);
      const times = records.map(({ timestampMs }) => timestampMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      for (const own of Map.groupBy(records, (r) => `${r.topic} ${r.partition}`).values()) {
        const offsets = own.map(({ offset }) => Number(offset));
        expect(offsets).toEqual(offsets.map((_, i) => i));
      }
    });

    it('end with the record that exceeds their size, in every partition', async () => {
      const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
      // Small records first: their size does not tell the size of the next ones.
      await append(test, ...keys.map((key) => recordOf('small', key)));
      for (const key of keys) await append(test, recordOf(key.padEnd(50_000, '.'), key));
      const pages = await pagesOf(test, { ...orders, limit: 1_000, maxBytes: 100_000 });
      for (const { records } of pages) expect(records.length).toBeLessThanOrEqual(32);
      const large = pages.map(({ records }) => valuesOf(records).filter((v) => v.length > 10));
      for (const values of large) expect(values.length).toBeLessThanOrEqual(2);
      const found = large.flat().map((value) => value.replaceAll('.', ''));
      expect(found.toSorted()).toEqual(keys.toSorted());
      const records = pages.flatMap((page) => page.records);
      expect(records).toHaveLength(60);
      const times = records.map(({ timestampMs }) => timestampMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('continue with records that were appended after the last page', async () => {
      await append(test, recordOf('one'));
      const first = await test.log.listEvents(orders);
      expect(first).toMatchObject({ isLast: true, records: [{ offset: 0n }] });
      const empty = await test.log.listEvents({ ...orders, cursor: first.next });
      expect(empty).toMatchObject({ isLast: true, records: [], next: first.next });
      await append(test, recordOf('two'));
      const second = await test.log.listEvents({ ...orders, cursor: empty.next });
      expect(valuesOf(second.records)).toEqual(['two']);
    });

    it('can continue after any of their records', async () => {
      const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`);
      await append(test, ...keys.map((key, i) => recordOf(`${i}`, key)));
      const page = await test.log.listEvents({ ...orders, limit: 10 });
      const values = valuesOf((await test.log.listEvents(orders)).records);
      expect(values).toHaveLength(12);
      for (const index of page.records.keys()) {
        const cursor = page.cursorAfter(index);
        const rest = await test.log.listEvents({ ...orders, cursor });
        const seen = valuesOf(page.records.slice(0, index + 1));
        expect([...seen, ...valuesOf(rest.records)].toSorted()).toEqual(values.toSorted());
      }
      expect(page.cursorAfter(9)).toBe(page.next);
    });

    it('can be filtered by name, by key, or both', async () => {
      await append(test, named('made', '1', 'a'), named('paid', '2', 'a'), named('made', '3', 'b'));
      await append(test, recordOf('4', 'a'), { ...recordOf('5'), headers: { ce_type: 'a\0b' } });
      const find = async (query: Partial<EventQuery>): Promise<string[]> =>
        valuesOf((await test.log.listEvents({ ...orders, ...query })).records);
      expect(await find({ name: 'made' })).toEqual(['1', '3']);
      expect(await find({ key: Buffer.from('a') })).toEqual(['1', '2', '4']);
      expect(await find({ name: 'made', key: Buffer.from('b') })).toEqual(['3']);
      expect(await find({ name: 'unknown' })).toEqual([]);
    });

    it('can be filtered by patterns of names, whatever characters these have', async () => {
      const special = '.\\^$+?()[]{}|-/:#=!<>&,~@% \'"a9';
      const names = [...special].map((character) => `x${character}y.end`);
      names.push(
        'https://例え.jp/a b/事件😀.end',
        '(?i)X.end',
        '***:x.end',
        '\\d.end',
        '.end',
        'a..b',
      );
      await append(test, ...names.map((name) => named(name, name, 'k')));
      const find = async (name: string): Promise<string[]> =>
        valuesOf((await test.log.listEvents({ ...orders, limit: 1_000, name })).records);
      expect(await find('**')).toEqual(names);
      expect(await find('a.*.b')).toEqual(['a..b']);
      for (const name of names.filter((text) => text.endsWith('.end') && !text.includes('*'))) {
        const pattern = `${name.slice(0, -'end'.length)}*`;
        const expected = names.filter((other) =>
          matchesEventName(toEventPattern(pattern), other.split('.')),
        );
        expect(expected).toContain(name);
        expect(await find(pattern), pattern).toEqual(expected);
      }
    });

    it('can be limited to a span of time', async () => {
      const marks: Date[] = [];
      for (let n = 0; n < 4; n++) {
        await append(test, recordOf(`${n}`, 'k'));
        await pause(5);
        marks.push(new Date());
        await pause(5);
      }
      const find = async (query: Partial<EventQuery>): Promise<string[]> =>
        valuesOf((await test.log.listEvents({ ...orders, ...query })).records);
      expect(await find({ since: marks[1] })).toEqual(['2', '3']);
      expect(await find({ until: marks[1] })).toEqual(['0', '1']);
      expect(await find({ since: marks[0], until: marks[2] })).toEqual(['1', '2']);
      expect(await find({ from: 'end' })).toEqual([]);
      const page = await test.log.listEvents({ ...orders, since: marks[0], limit: 1 });
      expect(await find({ since: marks[0], cursor: page.next })).toEqual(['2', '3']);
    });

    it('scan a bounded number of records, and find matches far behind', async () => {
      await test.log.ensureTopic('long', 1);
      await appendMany(test.db, 'long', 25_000);
      const spread = `update eventstream.record set name = 'rare',
        appended_at = now() where "offset" = 24000`;
      await test.db.query(
        `update eventstream.record
         set appended_at = now() - interval '30 days' + "offset" * interval '1 minute'`,
      );
      await test.db.query(spread);
      const long: EventQuery = { within: 'all', topics: ['long'] };
      const pages = await pagesOf(test, { ...long, name: 'rare' });
      expect(pages.map(({ records }) => records.length)).toEqual([0, 0, 1]);
      const since = new Date(Date.now() - 30 * 86_400_000 + 20_000 * 60_000);
      const page = await test.log.listEvents({ ...long, since, limit: 1 });
      const [{ offset = 0n } = {}] = page.records;
      expect(Number(offset)).toBeGreaterThanOrEqual(19_999);
      expect(Number(offset)).toBeLessThanOrEqual(20_001);
    });

    it('refuse impossible queries', async () => {
      await append(test, recordOf('one'));
      const refused: [Partial<EventQuery>, string][] = [
        [{ topics: ['unknown'] }, 'TOPIC_NOT_FOUND'],
        [{ topics: [] }, 'REQUEST_INVALID'],
        [{ limit: 0 }, 'REQUEST_INVALID'],
        [{ limit: 1_001 }, 'REQUEST_INVALID'],
        [{ cursor: 'not one' }, 'REQUEST_INVALID'],
        [{ cursor: Buffer.from('1:9999999999999999999').toString('base64url') }, 'REQUEST_INVALID'],
      ];
      for (const [query, code] of refused) {
        await expect(test.log.listEvents({ ...orders, ...query })).rejects.toMatchObject({ code });
      }
    });

    it('arrive as records are appended when followed, until that is aborted', async () => {
      await append(test, recordOf('one'));
      const abort = new AbortController();
      const seen: string[] = [];
      const options = { signal: abort.signal, pollMs: 60_000 };
      for await (const { records } of test.log.followEvents(orders, options)) {
        seen.push(...valuesOf(records));
        if (seen.length === 3) abort.abort();
        else setTimeout(() => void append(test, recordOf(`after ${seen.length}`)), 50);
      }
      expect(seen).toEqual(['one', 'after 1', 'after 2']);
    });
  });
});

import type { RecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RecordHeader, StoredRecord } from '../../../record.js';
import { hasHeader, toHeaderTexts } from '../../../record-headers.js';
import { toRecords } from '../../platformatic/platformatic-record.js';
import { encodeRecordBatch } from '../wire/record-batch.js';
import { AbortedTransactions } from './aborted-transactions.js';
import { decodeRecords } from './record-decoder.js';

const position = { topic: 'orders', partition: 0 };

async function fetched(rawHeaders: readonly RecordHeader[]): Promise<StoredRecord | undefined> {
  const record = { key: null, value: null, headers: {}, rawHeaders };
  const aborted = new AbortedTransactions([]);
  const bytes = encodeRecordBatch([record], 0);
  return (await decodeRecords({ ...position, bytes, aborted }))[0];
}

function fetchedByPlatformatic(rawHeaders: readonly RecordHeader[]): StoredRecord | undefined {
  const headers = rawHeaders.map(({ name, value }) => [Buffer.from(name), value]);
  const records = [{ offsetDelta: 0, timestampDelta: 0n, key: null, value: null, headers }];
  const batch = { firstOffset: 0n, firstTimestamp: 0n, attributes: 0, lastOffsetDelta: 0, records };
  const batches = [batch as unknown as RecordsBatch];
  return toRecords({ ...position, batches, abortedTransactions: [] }, 0n)[0];
}

const names = ['ce_id', 'ce_type', 'ce_specversion', 'content-type', 'ce', ''];
const text = fc.constantFrom('', 'a', 'placed', 'placed!', 'é', '事件', '\ufffd', '😀', '\ud83d');
const header = fc.record({
  name: fc.constantFrom(...names),
  value: fc.option(text.map((each) => Buffer.from(each))),
});

it('finds headers in the bytes of a fetch as in their texts', async () => {
  const headers = fc.uniqueArray(header, { selector: ({ name }) => name });
  await fc.assert(
    fc.asyncProperty(headers, fc.constantFrom(...names), text, async (list, name, sought) => {
      const texts = { headers: toHeaderTexts(list) };
      const value = texts.headers[name];
      expect(hasHeader(texts, name)).toBe(value !== undefined);
      for (const record of [await fetched(list), fetchedByPlatformatic(list)]) {
        if (record === undefined) throw new Error('nothing was decoded');
        expect(record.findsHeader).toBeDefined();
        expect(hasHeader(record, name)).toBe(value !== undefined);
        expect(hasHeader(record, name, sought)).toBe(value === sought);
      }
    }),
  );
});

it('finds no text in bytes that are not UTF-8', async () => {
  const list = [{ name: 'ce_id', value: Buffer.of(0xe9) }];
  for (const record of [await fetched(list), fetchedByPlatformatic(list)]) {
    expect(record && hasHeader(record, 'ce_id')).toBe(true);
    expect(record && hasHeader(record, 'ce_id', '\u00e9')).toBe(false);
  }
});

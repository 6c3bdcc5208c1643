import type { PartitionPage, PartitionQuery, StoredRecord } from '@posthaste/eventstream';
import { expect, it } from 'vitest';
import { FanOutLog } from './fan-out-log.js';

const query = { topic: 'realtime', partition: 0, limit: 3, maxBytes: 1_000 };

function recordAt(offset: bigint, bytes = 10): StoredRecord {
  const value = Buffer.alloc(bytes);
  return { topic: 'realtime', partition: 0, offset, key: null, value, headers: {}, timestampMs: 0 };
}

/** Log with records at these offsets, which counts its reads. */
function createLog(offsets: readonly bigint[]) {
  const reads: bigint[] = [];
  const log = {
    async readPartition({ from }: PartitionQuery): Promise<PartitionPage> {
      reads.push(from);
      const records = offsets.filter((offset) => offset >= from).map((offset) => recordAt(offset));
      const next = (offsets.at(-1) ?? -1n) + 1n;
      return { records, next, readable: next, first: 0n, isGrowing: false };
    },
    watch: () => () => undefined,
  };
  return { log, reads };
}

/** Returns a log whose records arrive, and which was read once. */
async function connected(offsets: readonly bigint[], readMs = 3_600_000) {
  const { log, reads } = createLog(offsets);
  const fanOut = new FanOutLog({ log, readMs });
  fanOut.isConnected = true;
  const { next } = await fanOut.readPartition({ ...query, from: 0n });
  reads.length = 0;
  return { fanOut, reads, next };
}

const offsetsOf = ({ records }: PartitionPage): bigint[] => records.map(({ offset }) => offset);

it('returns records that follow without a read of the log, as many as are asked for', async () => {
  const { fanOut, reads, next } = await connected([0n, 1n]);
  fanOut.add([2n, 3n, 4n, 5n].map((offset) => recordAt(offset)));
  const page = await fanOut.readPartition({ ...query, from: next });
  expect(offsetsOf(page)).toEqual([2n, 3n, 4n]);
  expect(page).toMatchObject({ next: 5n, readable: 6n });
  expect(await fanOut.readPartition({ ...query, from: 5n })).toMatchObject({
    next: 6n,
    readable: 6n,
  });
  expect(offsetsOf(await fanOut.readPartition({ ...query, from: 6n }))).toEqual([]);
  expect(reads).toEqual([]);
});

it('waits a moment for records that were overtaken, and then reads the log', async () => {
  const { fanOut, reads, next } = await connected([0n]);
  fanOut.add([recordAt(2n)]);
  const first = await fanOut.readPartition({ ...query, from: next });
  expect(first).toMatchObject({ records: [], next: 1n, isGrowing: true });
  fanOut.add([recordAt(1n)]);
  expect(offsetsOf(await fanOut.readPartition({ ...query, from: next }))).toEqual([1n, 2n]);
  expect(reads).toEqual([]);
  fanOut.add([recordAt(9n)]);
  await expect
    .poll(async () => {
      await fanOut.readPartition({ ...query, from: 3n });
      return reads;
    })
    .toEqual([3n]);
});

it('reads the log at hints, when it is told to, when nothing arrives, and now and then', async () => {
  const { fanOut, reads, next: from } = await connected([0n]);
  await fanOut.readPartition({ ...query, from });
  expect(reads).toEqual([]);
  let woken = 0;
  fanOut.watch('realtime', () => {
    woken += 1;
  });
  fanOut.readSoon();
  await fanOut.readPartition({ ...query, from });
  await fanOut.readPartition({ ...query, from });
  expect([reads, woken]).toEqual([[1n], 1]);
  fanOut.isConnected = false;
  for (let i = 0; i < 3; i += 1) await fanOut.readPartition({ ...query, from });
  expect(reads).toHaveLength(4);
  const often = await connected([0n], 0);
  await often.fanOut.readPartition({ ...query, from });
  expect(often.reads).toEqual([1n]);
});

it('forgets records that were read, and ignores what comes after', async () => {
  const { fanOut, next } = await connected([0n, 1n, 2n]);
  let woken = 0;
  fanOut.watch('realtime', () => {
    woken += 1;
  });
  fanOut.add([recordAt(1n), recordAt(2n)]);
  expect(woken).toBe(0);
  expect(await fanOut.readPartition({ ...query, from: next })).toMatchObject({ isGrowing: false });
});

it('keeps no more than its memory allows, and has the rest read', async () => {
  const { fanOut, reads } = await connected([0n]);
  fanOut.add([recordAt(1n, 17 * 1_048_576)]);
  await fanOut.readPartition({ ...query, from: 1n });
  expect(reads).toEqual([1n]);
  fanOut.add(Array.from({ length: 10_001 }, (_, i) => recordAt(BigInt(i + 2))));
  await fanOut.readPartition({ ...query, from: 1n });
  expect(reads).toEqual([1n, 1n]);
});

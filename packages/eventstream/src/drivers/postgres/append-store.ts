import { crc32 } from 'node:zlib';
import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { OutgoingRecord } from '../../record.js';

/** A record with its place: the shard. */
export interface PlacedRecord {
  readonly shard: number;
  readonly record: OutgoingRecord;
}

export interface AppendManner {
  /** Makes appenders of one key wait for one another until the end of their transactions. */
  readonly lockKeys: boolean;
  /** Topics whose readers are told when the transaction commits. */
  readonly notify: readonly string[];
}

const appendStatement: Statement = {
  name: 'eventstream_append',
  text: `
select eventstream.append($1::integer[], $2::text[], $3::bytea[], $4::bytea[], $5::text[],
  $6::integer[], $7::text[]) as offsets`,
};

/** Appends in the order given, with one statement; gives the offsets. */
export async function appendRecords(
  db: Queryable,
  placed: readonly PlacedRecord[],
  { lockKeys, notify }: AppendManner,
): Promise<bigint[]> {
  const { rows } = await db.query<{ offsets: bigint[] }>(appendStatement, [
    placed.map(({ shard }) => shard),
    placed.map(({ record }) => eventNameOf(record)),
    placed.map(({ record }) => record.key),
    placed.map(({ record }) => record.value),
    placed.map(({ record }) => toHeadersText(record)),
    lockKeys ? keyHashes(placed) : [],
    notify,
  ]);
  const [row] = rows;
  if (row) return row.offsets;
  throw new PlatformError('INTERNAL', 'the append gave no row');
}

/** The attribute `type` of the CloudEvent that the record is; what Postgres has no text for is none. */
function eventNameOf({ headers }: OutgoingRecord): string | null {
  const name = headers.ce_type;
  return name === undefined || name.includes('\0') ? null : name;
}

function toHeadersText({ headers }: OutgoingRecord): string | null {
  const text = JSON.stringify(headers);
  return text === '{}' ? null : text;
}

/** Ascending, so that two appenders of the same keys do not wait for each other. */
function keyHashes(placed: readonly PlacedRecord[]): number[] {
  const hashes = new Set<number>();
  for (const { shard, record } of placed) {
    if (record.key) hashes.add(crc32(record.key, shard) | 0);
  }
  return [...hashes].sort((a, b) => a - b);
}

import { crc32 } from 'node:zlib';
import { PlatformError } from '@posthaste/contracts';
import { type Queryable, type Statement, toByteaArray } from '@posthaste/postgres';
import type { StoredHeaders } from '../storage/stored-headers.js';

/** A record in the form of the table, with its shard. */
export interface PlacedRecord extends StoredHeaders {
  readonly shard: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** Locks and notifications of an append. */
export interface AppendMode {
  /** True if appenders of one key wait for one another until the end of their transactions. */
  readonly lockKeys: boolean;
  /** Topics whose readers are notified by the commit. */
  readonly notify: readonly string[];
}

/** Columns of records. Every column has an entry for each record. */
export interface TextColumns {
  readonly shards: number[];
  readonly names: (string | null)[];
  readonly keys: string[];
  readonly values: string[];
  readonly headers: (string | null)[];
  readonly applications: (string | null)[];
}

const appended = `eventstream.append($1::integer[], $2::text[], $3::bytea[], $4::bytea[], $5::text[],
  $6::integer[], $7::text[], $8::text[])`;

const appendStatement: Statement = {
  name: 'eventstream_append',
  text: `select ${appended} as offsets`,
};

/** Returns no offsets, because they take time to send and to read. */
const appendQuietlyStatement: Statement = {
  name: 'eventstream_append_quietly',
  text: `select from ${appended}`,
};

/** Appends records in the given order, with one statement. Returns their offsets. */
export async function appendRecords(
  db: Queryable,
  placed: readonly PlacedRecord[],
  { lockKeys, notify }: AppendMode,
): Promise<bigint[]> {
  const { rows } = await db.query<{ offsets: bigint[] }>(appendStatement, [
    placed.map(({ shard }) => shard),
    placed.map(({ name }) => name),
    placed.map(({ key }) => key),
    placed.map(({ value }) => value),
    placed.map(({ headers }) => headers),
    lockKeys ? keyHashes(placed) : [],
    notify,
    toApplications(placed.map(({ application }) => application)),
  ]);
  const [row] = rows;
  if (row) return row.offsets;
  throw new PlatformError('INTERNAL', 'the append returned no row');
}

/** Appends records in the given order, with one statement. */
export async function appendTexts(
  db: Queryable,
  { shards, names, keys, values, headers, applications }: TextColumns,
  { lockKeys, notify }: AppendMode,
): Promise<void> {
  await db.query(appendQuietlyStatement, [
    shards,
    names,
    toByteaArray(keys),
    toByteaArray(values),
    headers,
    lockKeys ? toHashes(keys.map((key, index) => crc32(key, shards[index]))) : [],
    notify,
    toApplications(applications),
  ]);
}

/** Returns an empty list if no record has an application: the function reads it as nulls. */
function toApplications(applications: readonly (string | null)[]): readonly (string | null)[] {
  return applications.some((application) => application !== null) ? applications : [];
}

function keyHashes(placed: readonly PlacedRecord[]): number[] {
  return toHashes(placed.flatMap(({ shard, key }) => (key ? [crc32(key, shard)] : [])));
}

/** Sorts the hashes, so that two appenders of the same keys do not deadlock. */
function toHashes(checksums: readonly number[]): number[] {
  return [...new Set(checksums.map((checksum) => checksum | 0))].sort((a, b) => a - b);
}

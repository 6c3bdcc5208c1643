import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Database, migrate, openPostgres, requireWritable } from '../src/index.js';

/** Settings that change what values, statements or sessions mean, with a value that does. */
const hostileSettings: readonly (readonly [name: string, value: string])[] = [
  ['bytea_output', 'escape'],
  ['array_nulls', 'off'],
  ['extra_float_digits', '-15'],
  ['DateStyle', 'German, DMY'],
  ['IntervalStyle', 'iso_8601'],
  ['TimeZone', 'Asia/Kolkata'],
  ['client_encoding', 'LATIN1'],
  ['standard_conforming_strings', 'off'],
  ['transform_null_equals', 'on'],
  ['default_transaction_isolation', 'serializable'],
  ['default_transaction_deferrable', 'on'],
  ['idle_session_timeout', '1s'],
  ['statement_timeout', '5s'],
  ['synchronous_commit', 'off'],
  ['row_security', 'off'],
  ['search_path', 'nowhere'],
  ['quote_all_identifiers', 'on'],
  ['backslash_quote', 'off'],
  ['xmloption', 'document'],
  ['xmlbinary', 'hex'],
  ['lc_numeric', 'C'],
  ['client_min_messages', 'debug1'],
  ['escape_string_warning', 'off'],
  ['exit_on_error', 'on'],
];

const readValues = `select '\\x00ff5c'::bytea as bytes, array[1, null, 3] as with_null,
  $1::text[] as sent, 0.1::float8 + 0.2 as float,
  (extract(epoch from '2026-01-31T10:20:30.456Z'::timestamptz) * 1000)::float8 as ms,
  '2026-01-31T10:20:30.456Z'::timestamptz as at, '2026-01-31'::date as day,
  interval '1 day 2 hours' as span, 'ü\\' as text, null::int = null as compared`;

const expectedValues = {
  bytes: Buffer.from([0, 255, 92]),
  with_null: [1, null, 3],
  sent: ['a', null],
  float: 0.1 + 0.2,
  ms: Date.parse('2026-01-31T10:20:30.456Z'),
  at: new Date('2026-01-31T10:20:30.456Z'),
  day: '2026-01-31',
  span: '1 day 02:00:00',
  text: 'ü\\',
  compared: null,
};

const readModes = `select current_setting('default_transaction_isolation') as isolation,
  current_setting('default_transaction_deferrable') as deferrable,
  current_setting('synchronous_commit') as durable, current_setting('idle_session_timeout') as idle,
  current_setting('statement_timeout') as longest, current_setting('client_encoding') as encoding`;

const expectedModes = {
  isolation: 'read committed',
  deferrable: 'off',
  durable: 'on',
  idle: '0',
  longest: '30s',
  encoding: 'UTF8',
};

describeWithPostgres('a database or a role with settings of its own', () => {
  let database: TestDatabase;
  let name: string;
  const opened: Database[] = [];
  const roles: string[] = [];

  /** Runs a statement on a connection without settings. */
  const asAdmin = async (text: string): Promise<void> => {
    const options = '-c default_transaction_read_only=off';
    const client = new pg.Client({ connectionString: database.url, options });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  const open = async (options: Partial<Parameters<typeof openPostgres>[0]> = {}) => {
    const db = await openPostgres({ url: database.url, ...options });
    opened.push(db);
    return db;
  };

  beforeEach(async () => {
    database = await createTestDatabase();
    name = new URL(database.url).pathname.slice(1);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((db) => db.close()));
    await asAdmin(`alter database ${name} reset all`);
    for (const role of roles.splice(0)) await asAdmin(`drop role ${role}`);
    await database.drop();
  });

  it.each(hostileSettings)(
    'reads and writes the same values with %s = %s',
    async (setting, value) => {
      await asAdmin(`alter database ${name} set ${setting} = '${value}'`);
      const db = await open();
      expect((await db.query(readValues, [['a', null]])).rows).toEqual([expectedValues]);
      expect((await db.query(readModes)).rows).toEqual([expectedModes]);
    },
  );

  it('does so with all of them at once, set for the role', async () => {
    const role = `role_of_${name}`;
    await asAdmin(`create role ${role} login superuser`);
    roles.push(role);
    for (const [setting, value] of hostileSettings) {
      await asAdmin(`alter role ${role} set ${setting} = '${value}'`);
    }
    const url = new URL(database.url);
    url.username = role;
    const db = await open({ url: url.href });
    expect((await db.query(readValues, [['a', null]])).rows).toEqual([expectedValues]);
    expect((await db.query(readModes)).rows).toEqual([expectedModes]);
    const received: string[] = [];
    await db.listen('news', (payload) => received.push(payload));
    await db.query(`select pg_notify('news', 'ü\\')`);
    await expect.poll(() => received).toEqual(['ü\\']);
  });

  it('throws when the form of values is changed later, instead of returning other bytes', async () => {
    const db = await open();
    const reading = db.transaction(async (tx) => {
      await tx.query(`set local bytea_output = 'escape'`);
      return tx.query(`select 'body'::bytea as body`);
    });
    await expect(reading).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    expect((await db.query(`select 'body'::bytea as body`)).rows).toEqual([
      { body: Buffer.from('body') },
    ]);
  });

  it('goes on with a session whose statement failed', async () => {
    await asAdmin(`alter database ${name} set exit_on_error = on`);
    const db = await open({ maxConnections: 1 });
    const pid = async () => (await db.query('select pg_backend_pid() as pid')).rows;
    const before = await pid();
    await expect(db.query('select 1 / 0')).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    expect(await pid()).toEqual(before);
  });

  it('commits as durably as the option says', async () => {
    await asAdmin(`alter database ${name} set synchronous_commit = 'off'`);
    const db = await open({ synchronousCommit: 'local' });
    const { rows } = await db.query(`select current_setting('synchronous_commit') as value`);
    expect(rows).toEqual([{ value: 'local' }]);
  });

  it('respects a database that was made read-only, and says so', async () => {
    await asAdmin(`alter database ${name} set default_transaction_read_only = on`);
    const db = await open();
    await db.ping();
    const readOnly = { code: 'DATABASE_READ_ONLY', retryable: true };
    await expect(requireWritable(db)).rejects.toMatchObject(readOnly);
    await expect(db.query('create table x (id int)')).rejects.toMatchObject(readOnly);
  });

  it('refuses a database without triggers and foreign keys, in a sentence', async () => {
    await asAdmin(`alter database ${name} set session_replication_role = 'replica'`);
    await expect((await open()).ping()).rejects.toMatchObject({
      code: 'DATABASE_UNSUITABLE',
      retryable: false,
      message: expect.stringContaining('reset session_replication_role'),
    });
  });

  it.each(['LATIN1', 'SQL_ASCII'])('refuses a database in %s, in a sentence', async (encoding) => {
    const other = `${name}_other`;
    await asAdmin(`create database ${other} encoding '${encoding}' locale 'C' template template0`);
    const url = new URL(database.url);
    url.pathname = `/${other}`;
    const db = await open({ url: url.href });
    const unsuitable = {
      code: 'DATABASE_UNSUITABLE',
      retryable: false,
      message: expect.stringContaining(`has the encoding ${encoding}, and must have UTF8`),
    };
    await expect(migrate(db, [])).rejects.toMatchObject(unsuitable);
    await expect(db.listen('x', () => undefined)).rejects.toMatchObject(unsuitable);
    await db.close();
    await asAdmin(`drop database ${other} with (force)`);
  });
});

import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { toByteaArray } from '../src/values/encode-values.js';
import { describeEngines, type Subject } from './engines.js';

const uuid = '0190a5d8-0000-7000-8000-00000000000f';

/** SQL type, value sent, and value received if it differs. */
const roundTrips: readonly (readonly [type: string, sent: unknown, received?: unknown])[] = [
  ['int2', -32_768],
  ['int4', 2_147_483_647],
  ['int8', 9_223_372_036_854_775_807n],
  ['int8', -9_223_372_036_854_775_808n],
  ['int8', 5, 5n],
  ['float4', 1.5],
  ['float8', 0.1],
  ['float8', Number.NaN],
  ['float8', Number.NEGATIVE_INFINITY],
  ['numeric', '123456789012345678901234567890.10'],
  ['bool', true],
  ['bool', false],
  ['text', ''],
  ['text', 'naïve 🚀 "quoted" \\ \n {a,b} NULL'],
  ['varchar', 'short'],
  ['bpchar', 'x'],
  ['uuid', uuid],
  ['bytea', Buffer.alloc(0)],
  ['bytea', Buffer.from([0, 1, 127, 128, 255])],
  ['bytea', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), Buffer.from([2, 3])],
  ['timestamptz', new Date('2026-01-31T10:20:30.456Z')],
  ['timestamptz', new Date(0)],
  ['timestamptz', new Date('0001-01-01T00:00:00.000Z')],
  ['timestamptz', new Date('9999-12-31T23:59:59.999Z')],
  ['timestamptz', new Date('+010000-01-01T00:00:00.000Z')],
  ['timestamptz', new Date('0000-06-01T00:00:00.001Z')],
  ['timestamptz', new Date('-004000-03-15T12:00:00.000Z')],
  ['timestamptz', '2026-01-31T12:00:00+02:00', new Date('2026-01-31T10:00:00Z')],
  ['timestamptz', 'infinity', Number.POSITIVE_INFINITY],
  ['timestamp', '2026-01-31 10:20:30.5'],
  ['date', '2026-01-31'],
  ['interval', '1 day 02:00:00'],
  ['json', '{"a":[1,null,"ü"]}', { a: [1, null, 'ü'] }],
  ['jsonb', '"text"', 'text'],
  ['jsonb', 'null', null],
  ['int4', null],
  ['bytea', null],
  ['text', undefined, null],
  ['int2[]', [1, null, -1]],
  ['int4[]', [1, null, 2]],
  ['int8[]', [1n, null, 9_223_372_036_854_775_807n]],
  ['float8[]', [0.5, null, Number.NaN]],
  ['numeric[]', ['1.50', null]],
  ['bool[]', [true, null, false]],
  ['uuid[]', [uuid, null]],
  ['text[]', ['', 'NULL', null, 'null', 'a,b', '{}', '"', '\\', '\\"', ' x ', 'ü🚀', 'a\nb']],
  ['text[]', []],
  ['text[]', [null, null]],
  ['text[]', [undefined], [null]],
  [
    'text[]',
    [
      ['a', null],
      ['b"', 'c\\'],
    ],
  ],
  [
    'int8[]',
    [
      [[1n], [2n]],
      [[3n], [4n]],
    ],
  ],
  ['bytea[]', [Buffer.from('a'), null, Buffer.alloc(0), Buffer.from([0, 255])]],
  ['bytea[]', [null, new Uint8Array([7])], [null, Buffer.from([7])]],
  ['bytea[]', [null]],
  ['bytea[]', []],
  ['bytea[]', [[Buffer.from('a')], [Buffer.from([92, 34])]]],
  ['timestamptz[]', [new Date('2026-01-31T10:20:30.456Z'), null, new Date(0)]],
  ['jsonb[]', ['{"a":"b,\\"c"}', null, 'null', '[1]'], [{ a: 'b,"c' }, null, null, [1]]],
];

describeEngines('values', (subject: Subject) => {
  it.each(roundTrips)('%s accepts %o', async (type, sent, received = sent) => {
    const text = `select $1::${type} as value`;
    const expected = received ?? null;
    expect((await subject.db.query(text, [sent])).rows).toEqual([{ value: expected }]);
    // Again as a prepared statement, and in a transaction.
    const statement = { name: `value_${type}`, text };
    const rows = await subject.db.transaction(async (tx) => [
      ...(await tx.query(statement, [sent])).rows,
      ...(await tx.query(statement, [sent])).rows,
    ]);
    expect(rows).toEqual([{ value: expected }, { value: expected }]);
  });

  it.each([[[]], [['']], [['a', '', 'größe 🚀', 'x'.repeat(70_000), '\\x00 \0 "{}']]])(
    'accepts texts for bytes: %#',
    async (texts) => {
      const text = 'select $1::bytea[] as value';
      const { rows } = await subject.db.query(text, [toByteaArray(texts)]);
      expect(rows).toEqual([{ value: texts.map((each) => Buffer.from(each)) }]);
    },
  );

  it('returns values of unknown types as text', async () => {
    const { rows } = await subject.db.query(`select '10.0.0.0/8'::cidr as net, '1 GB' as text`);
    expect(rows).toEqual([{ net: '10.0.0.0/8', text: '1 GB' }]);
  });

  it('reads arrays whose first index is not 1', async () => {
    const { rows } = await subject.db.query(`select '[0:2]={1,2,3}'::int4[] as value`);
    expect(rows).toEqual([{ value: [1, 2, 3] }]);
  });

  it('cuts microseconds to milliseconds', async () => {
    const { rows } = await subject.db.query(
      `select '2026-01-31 10:20:30.123999+00'::timestamptz as value`,
    );
    expect(rows).toEqual([{ value: new Date('2026-01-31T10:20:30.123Z') }]);
  });

  it('reads times in the zone that a transaction has chosen', async () => {
    const rows = await subject.db.transaction(async (tx) => {
      await tx.query(`set local time zone 'Asia/Kolkata'`);
      return (await tx.query(`select '2026-01-31T10:20:30Z'::timestamptz as value`)).rows;
    });
    expect(rows).toEqual([{ value: new Date('2026-01-31T10:20:30Z') }]);
  });

  it('runs sessions in UTC', async () => {
    const { rows } = await subject.db.query(
      `select current_setting('TimeZone') as zone, '2026-01-31T00:30:00Z'::timestamptz::date as day`,
    );
    expect(rows).toEqual([{ zone: 'UTC', day: '2026-01-31' }]);
  });

  it('accepts arrays of thousands, with nulls', async () => {
    const count = 5_000;
    const ids = Array.from({ length: count }, () => randomUUID());
    const bodies = ids.map((_, i) => (i % 7 === 0 ? null : randomBytes(i % 300)));
    const times = ids.map((_, i) => (i % 5 === 0 ? null : new Date(1_700_000_000_000 + i)));
    const names = ids.map((_, i) => (i % 3 === 0 ? null : `name "${i}", \\ {}`));
    const numbers = ids.map((_, i) => (i % 2 === 0 ? null : BigInt(i) * 1_000_000_007n));
    const { rows, rowCount } = await subject.db.query(
      `select * from unnest($1::uuid[], $2::bytea[], $3::timestamptz[], $4::text[], $5::int8[])
         as t (id, body, at, name, number)`,
      [ids, bodies, times, names, numbers],
    );
    expect(rowCount).toBe(count);
    expect(rows).toEqual(
      ids.map((id, i) => ({
        id,
        body: bodies[i],
        at: times[i],
        name: names[i],
        number: numbers[i],
      })),
    );
  });

  it('sends and receives megabytes', async () => {
    const body = randomBytes(3_000_000);
    const { rows } = await subject.db.query<{ body: Buffer }>('select $1::bytea as body', [body]);
    expect(rows[0]?.body.equals(body)).toBe(true);
  });

  it('does not change the given values', async () => {
    const values = [new Date(0), [1n, null], 5n] as const;
    await subject.db.query('select $1::timestamptz, $2::int8[], $3::int8', values);
    expect(values).toEqual([new Date(0), [1n, null], 5n]);
  });

  it.each([
    ['an object', {}],
    ['a function', () => 1],
    ['an invalid date', new Date(Number.NaN)],
    ['an array of bytes and text', [Buffer.from('a'), 'b']],
  ])('refuses %s, and stays usable', async (_, value) => {
    await expect(subject.db.query('select $1::text', [value])).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
    });
    await subject.db.ping();
  });

  it('counts rows', async () => {
    const { db } = subject;
    await db.query('create table counted (id int8 primary key)');
    const inserted = await db.query('insert into counted select generate_series(1, 5)');
    expect(inserted).toEqual({ rows: [], rowCount: 5 });
    expect((await db.query('delete from counted where id > 3')).rowCount).toBe(2);
    expect((await db.query('select id from counted order by id')).rowCount).toBe(3);
    expect((await db.query('drop table counted')).rowCount).toBe(0);
  });

  it('runs several statements in one text, and returns the result of the last', async () => {
    const { rows } = await subject.db.query('select 1 as a; select 2 as b');
    expect(rows).toEqual([{ b: 2 }]);
  });

  it('rolls back all statements of a text when one fails', async () => {
    const text = 'create table half_done (id int); select 1 / 0';
    await expect(subject.db.query(text)).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    const { rows } = await subject.db.query(`select to_regclass('half_done') as found`);
    expect(rows).toEqual([{ found: null }]);
  });
});

import { randomUUID } from 'node:crypto';
import { applicationHeader } from '@posthaste/contracts';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { takeEmbedded } from '../../../../test/embedded-pool.js';
import { oldLogStatements as old } from '../../../../test/old-log-statements.js';
import { recordOf } from '../../../../test/open-log.js';
import { PostgresLog } from '../postgres-log.js';
import { eventstreamMigrations } from './migrations.js';

const before = {
  ...eventstreamMigrations,
  migrations: eventstreamMigrations.migrations.slice(0, 1),
};
const waitOptions = { timeout: 30_000 };

async function openOld(engine: 'postgres' | 'embedded'): Promise<Database> {
  if (engine === 'embedded') {
    const { db, release } = await takeEmbedded();
    onTestFinished(release);
    await migrate(db, [before]);
    return db;
  }
  const { url, drop } = await createTestDatabase();
  const db = await openPostgres({ url, maxConnections: 8 });
  onTestFinished(async () => {
    await db.close();
    await drop();
  });
  await migrate(db, [before]);
  return db;
}

/** A log of the version before, on a topic with one partition. */
class OldLog {
  readonly #db: Database;
  readonly #shard: number;

  private constructor(db: Database, shard: number) {
    this.#db = db;
    this.#shard = shard;
  }

  static async open(db: Database, topic: string): Promise<OldLog> {
    await db.query('select eventstream.create_topic($1, 1)', [topic]);
    const { rows } = await db.query<{ id: number }>(
      `select s.id from eventstream.shard s join eventstream.topic t on t.id = s.topic_id
       where t.name = $1`,
      [topic],
    );
    return new OldLog(db, rows[0]?.id ?? 0);
  }

  async append(value: string): Promise<void> {
    const bytes = Buffer.from(value);
    await this.#db.query(old.append, [
      [this.#shard],
      ['placed'],
      [bytes],
      [bytes],
      ['{"a":"b"}'],
      ...[[], []],
    ]);
  }

  async appendText(value: string): Promise<void> {
    await this.#db.query(old.appendTexts, [[this.#shard], ['placed'], ['k'], [value], [null]]);
  }

  /** Appends in a transaction that creates a topic too. */
  async createTopic(name: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.query('select eventstream.create_topic($1, 1)', [name]);
      await tx.query(old.appendTexts, [[this.#shard], ['placed'], ['k'], [name], [null]]);
    });
  }

  async values(): Promise<string[]> {
    const values = [this.#shard, 0n, 1_000_000n, 100_000, 100_000_000];
    const { rows } = await this.#db.query<{ value: Buffer }>(old.range, values);
    return rows.map(({ value }) => String(value));
  }
}

describe.each(['postgres', 'embedded'] as const)('a log of the version before on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('that is migrated', () => {
    it('keeps its records, and processes of both versions go on with it', async () => {
      const db = await openOld(engine);
      const oldLog = await OldLog.open(db, 'orders');
      await oldLog.append('before');
      await migrate(db, [eventstreamMigrations]);
      const log = new PostgresLog({ db });
      onTestFinished(() => log.close());
      const record = { ...recordOf('new', 'k'), headers: { [applicationHeader]: 'shop' } };
      await oldLog.append('old');
      await db.transaction((tx) => log.append(tx, [record]));
      await oldLog.appendText('text');
      expect(await oldLog.values()).toEqual(['before', 'old', 'new', 'text']);
      const { records } = await log.listEvents({ within: 'all', topics: ['orders'] });
      expect(records.map(({ value, headers }) => [String(value), headers])).toEqual([
        ['before', { a: 'b' }],
        ['old', { a: 'b' }],
        ['new', { [applicationHeader]: 'shop' }],
        ['text', {}],
      ]);
      const own = await log.listEvents({ within: ['shop'], topics: ['orders'] });
      expect(own.records.map(({ value }) => String(value))).toEqual(['new']);
    });

    it('gets new segments from processes of both versions', async () => {
      const db = await openOld(engine);
      const oldLog = await OldLog.open(db, 'orders');
      await migrate(db, [eventstreamMigrations]);
      const log = new PostgresLog({ db });
      onTestFinished(() => log.close());
      await db.transaction(async (tx) => {
        await tx.query(old.createPartition);
        await tx.query(`alter table eventstream.record attach partition eventstream.record_2
          for values from (2) to (3)`);
      });
      await db.query('insert into eventstream.segment (id) values (2)');
      const record = { ...recordOf('a', 'k'), application: 'shop' };
      await db.transaction((tx) => log.append(tx, [record]));
      await log.maintain({ segmentMs: 1, retentionMs: 86_400_000 });
      await oldLog.append('b');
      await db.transaction((tx) => log.append(tx, [record]));
      const own = await log.listEvents({ within: ['shop'], topics: ['orders'] });
      expect(own.records).toHaveLength(2);
      expect(await oldLog.values()).toEqual(['a', 'b', 'a']);
    });
  });
});

describeWithPostgres('the migration to applications', () => {
  it('lets publishers go on while it waits for a long reader, and rewrites nothing', async () => {
    const db = await openOld('postgres');
    const oldLog = await OldLog.open(db, 'orders');
    await oldLog.append('a');
    const fileOf = async () =>
      (await db.query(`select pg_relation_filenode('eventstream.record_1') as node`)).rows;
    const file = await fileOf();
    const reading = Promise.withResolvers<void>();
    const read = Promise.withResolvers<void>();
    const reader = db.transaction(async (tx) => {
      await tx.query('select from eventstream.record');
      reading.resolve();
      await read.promise;
    });
    await reading.promise;
    let migrated = false;
    const migration = migrate(db, [eventstreamMigrations]).then(() => {
      migrated = true;
    });
    // Each append may wait for a try of the migration, and none for the reader.
    for (let i = 0; i < 5; i += 1) await oldLog.append(`b${i}`);
    expect(migrated).toBe(false);
    read.resolve();
    await reader;
    await migration;
    expect(await fileOf()).toEqual(file);
    expect(await oldLog.values()).toHaveLength(6);
  });

  it('lets roles that append store which application has appended', async () => {
    const db = await openOld('postgres');
    const role = `appender_${randomUUID().replaceAll('-', '')}`;
    await db.query(`create role ${role}`);
    onTestFinished(async () => {
      await db.query(`drop owned by ${role}`);
      await db.query(`drop role ${role}`);
    });
    await db.query(`grant usage on schema eventstream to ${role}`);
    await db.query(`grant select, insert on eventstream.record to ${role}`);
    await migrate(db, [eventstreamMigrations]);
    const { rows } = await db.query(
      `select has_table_privilege($1, 'eventstream.topic_application', 'select, insert') as appends,
         has_table_privilege($1, 'eventstream.topic_application', 'delete') as deletes`,
      [role],
    );
    expect(rows).toEqual([{ appends: true, deletes: false }]);
  });

  it('loses nothing of processes of both versions that append and read meanwhile', async () => {
    const db = await openOld('postgres');
    const oldLog = await OldLog.open(db, 'orders');
    let isOver = false;
    const appended: string[] = [];
    const appendAll = async (name: string, append: (value: string) => Promise<void>) => {
      for (let i = 0; !isOver; i += 1) {
        await append(`${name}${i}`);
        appended.push(`${name}${i}`);
      }
    };
    const olds = [
      appendAll('records', (value) => oldLog.append(value)),
      appendAll('texts', (value) => oldLog.appendText(value)),
      appendAll('topics', (value) => oldLog.createTopic(value)),
    ];
    await expect.poll(() => appended.length, waitOptions).toBeGreaterThan(20);
    await migrate(db, [eventstreamMigrations]);
    const log = new PostgresLog({ db });
    onTestFinished(() => log.close());
    const news = ['shop', 'game'].map((application) =>
      appendAll(application, async (value) => {
        await db.transaction((tx) => log.append(tx, [{ ...recordOf(value, value), application }]));
      }),
    );
    const consumed: string[] = [];
    const group = { topics: ['orders'], groupId: 'all', limit: 50, startOffset: 0n };
    const consume = async (): Promise<boolean> => {
      const { records, more } = await db.transaction((tx) => log.readGroupBatch(tx, group));
      consumed.push(...records.map(({ value }) => String(value)));
      return more || records.length > 0;
    };
    const target = appended.length + 200;
    while (appended.length < target) await consume();
    isOver = true;
    await Promise.all([...olds, ...news]);
    while (await consume());
    expect(consumed.toSorted()).toEqual(appended.toSorted());
    expect((await oldLog.values()).toSorted()).toEqual(appended.toSorted());
    let cursor: string | undefined;
    const shop: string[] = [];
    for (;;) {
      const query = { within: ['shop'], topics: ['orders'], limit: 100, cursor };
      const page = await log.listEvents(query);
      shop.push(...page.records.map(({ value }) => String(value)));
      if (page.isLast) break;
      cursor = page.next;
    }
    expect(shop.toSorted()).toEqual(
      appended.filter((value) => value.startsWith('shop')).toSorted(),
    );
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiKeys, accessMigrations } from '@posthaste/access';
import {
  type Acceptance,
  callbacksMigrations,
  createAcceptance,
  ensurePartitions,
  Intake,
} from '@posthaste/callbacks';
import { parseEnvelope } from '@posthaste/contracts';
import { eventstreamMigrations, failedRecordHeaders, PostgresLog } from '@posthaste/eventstream';
import {
  DeadLetterReplays,
  listDeadLetters,
  type PublishOutcome,
  publishOnce,
  type SubmittedEvent,
  toEventToPublish,
} from '@posthaste/eventstream/event-log';
import { type Database, migrate, openDatabase } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { migratePlatform, platformMigrations } from './platform-database.js';

// The embedded database takes its time to start on a machine that is busy.
vi.setConfig({ testTimeout: 120_000 });

type Engine = 'postgres' | 'embedded';

/** Tables of version 0.1, in which the gateway has claims and replays. */
const setsBefore = [accessMigrations, callbacksMigrations, eventstreamMigrations];

const topic = 'orders';
const replayId = '019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11';
/** SHA-256 of the event below, as version 0.1 wrote it. */
const contentHash = 'c8d6db131c373d636942f24aedd85749ab326d611806f440557e8bc99006a083';
const bodyHash = Buffer.alloc(32, 7);

/** Opens databases that a test can close and open again. */
async function createPlace(engine: Engine): Promise<() => Promise<Database>> {
  const opened: Database[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'posthaste-before-'));
  const database = engine === 'postgres' ? await createTestDatabase() : undefined;
  onTestFinished(async () => {
    for (const db of opened) await db.close();
    await database?.drop();
    await rm(folder, { recursive: true });
  });
  return async () => {
    const db = await openDatabase(
      database ? { url: database.url, maxConnections: 4 } : { dataDir: join(folder, 'database') },
    );
    opened.push(db);
    return db;
  };
}

function acceptanceOn(db: Database): Acceptance {
  const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };
  const secretExists = async (): Promise<boolean> => false;
  return createAcceptance({ intake: new Intake(db), rules, secretExists });
}

const callback = { url: 'https://example.com/hook', application: 'shop' };

/** Records of 0.1 that the test finds again after the migration. */
interface Filled {
  readonly token: string;
  readonly callbackId: string;
}

/** Fills the tables of version 0.1, those of the event log by their old names. */
async function fill(db: Database): Promise<Filled> {
  const log = new PostgresLog({ db, partitions: 1 });
  const record = (name: string, headers = {}) => ({
    topic,
    key: Buffer.from('k'),
    value: Buffer.from(JSON.stringify({ id: name, name, namespace: 'shop', version: 1 })),
    headers,
  });
  const letter = (name: string) => ({
    ...record(name, { [failedRecordHeaders.topic]: topic, [failedRecordHeaders.group]: 'mail' }),
    topic: `${topic}.dlq`,
  });
  await db.transaction((tx) =>
    log.append(
      tx,
      ['one', 'two', 'three'].map((name) => record(name)),
    ),
  );
  await db.transaction((tx) => log.append(tx, ['a', 'b', 'c', 'd'].map(letter)));
  await db.query(
    `insert into gateway.event_claim (kind, topic, claim, body_hash, event_id, partition, "offset")
     values ('id', $1, $2, $3, 'order-1', 0, 0), ('key', $1, 'key-1', $4, 'two', 0, 1)`,
    [topic, '/namespaces/shop\norder-1', Buffer.from(contentHash, 'hex'), bodyHash],
  );
  // Claims of ids that an earlier gateway made have no hash.
  await db.query(
    `insert into gateway.event_claim (kind, topic, claim, event_id, partition, "offset")
     values ('id', $1, $2, 'order-0', 0, 2)`,
    [topic, '/namespaces/shop\norder-0'],
  );
  // A replay that has published the first two of four.
  const { next } = await log.listEvents({ within: 'all', topics: [`${topic}.dlq`], limit: 2 });
  await db.query(
    `insert into gateway.dead_letter_replay
       (id, topic, filter, rate_per_second, dry_run, again, position, matched, replayed)
     values ($1, $2, '{"group":"mail"}', 10000, false, false, $3, 2, 2)`,
    [replayId, topic, next],
  );
  await db.query(
    `insert into gateway.replayed_dead_letter (topic, partition, "offset", replayed_at)
     values ($1, 0, 0, now() - interval '1 minute'), ($1, 0, 1, now() - interval '1 minute')`,
    [`${topic}.dlq`],
  );
  await log.close();
  const keys = new ApiKeys(db);
  const { token } = await keys.createKey({ name: 'shop', scopes: ['events:write'] });
  await keys.close();
  const accepted = await acceptanceOn(db).accept(callback, { key: 'callback-1', bodyHash });
  return { token, callbackId: accepted.id };
}

/** Shows that nothing of `fill` is lost, and that it is gone on with. */
async function checkFilled(db: Database, { token, callbackId }: Filled): Promise<void> {
  const log = new PostgresLog({ db });
  const event = (id: string, payload: object) =>
    toEventToPublish(
      parseEnvelope({ id, name: 'placed', namespace: 'shop', version: 1, payload }),
      {
        topic,
        application: '',
        key: 'k',
      },
    );
  const publish = (
    ...events: Omit<SubmittedEvent, 'within'>[]
  ): Promise<readonly PublishOutcome[]> =>
    publishOnce(
      { db, log },
      events.map((each) => ({ ...each, within: 'all' })),
    );
  expect(
    await publish(
      { event: event('order-1', { total: 3 }) },
      { event: event('order-1', { total: 4 }) },
      { event: event('order-0', { any: true }) },
      { event: event('other', {}), idempotency: { key: 'key-1', bodyHash } },
      { event: event('another', {}), idempotency: { key: 'key-1', bodyHash: Buffer.alloc(32) } },
    ),
  ).toMatchObject([
    { id: 'order-1', partition: 0, offset: 0n, repeated: true },
    { code: 'EVENT_ID_REUSED' },
    { id: 'order-0', partition: 0, offset: 2n, repeated: true },
    { id: 'two', partition: 0, offset: 1n, repeated: true },
    { code: 'IDEMPOTENCY_KEY_REUSED' },
  ]);

  const replays = new DeadLetterReplays({ db, log });
  expect(await replays.get({ id: replayId, within: 'all' })).toMatchObject({
    state: 'running',
    matched: 2,
    replayed: 2,
  });
  while (await replays.step());
  const done = { state: 'done', matched: 4, replayed: 4, skipped: 0 };
  expect(await replays.get({ id: replayId, within: 'all' })).toMatchObject(done);
  const { records } = await log.listEvents({ within: 'all', topics: [topic] });
  const names = records.map(({ value }) => JSON.parse(String(value)).name);
  expect(names).toEqual(['one', 'two', 'three', 'c', 'd']);
  const { letters } = await listDeadLetters(
    { db, log },
    {
      within: 'all',
      topics: [`${topic}.dlq`],
    },
  );
  expect(letters.map(({ replayedAt }) => replayedAt instanceof Date)).toEqual(
    letters.map(() => true),
  );
  await log.close();

  const keys = new ApiKeys(db);
  expect(await keys.authenticate(token)).toMatchObject({ name: 'shop', scopes: ['events:write'] });
  await keys.close();
  const again = await acceptanceOn(db).accept(callback, { key: 'callback-1', bodyHash });
  expect(again).toMatchObject({ id: callbackId, repeated: true });
}

describe.each<Engine>(['postgres', 'embedded'])('a database of version 0.1 on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('when it is migrated', () => {
    it('loses nothing, and continues where it stopped', async () => {
      const open = await createPlace(engine);
      const before = await open();
      await migrate(before, setsBefore);
      await ensurePartitions(before, { daysAhead: 1 });
      const filled = await fill(before);
      await before.close();
      const db = await open();
      const applied = await migratePlatform(db);
      expect(applied.map(({ owner, version }) => `${owner} ${version}`)).toEqual([
        'event-log 1',
        'event-log 2',
        'realtime 1',
        'realtime 2',
      ]);
      await checkFilled(db, filled);
      expect(await migratePlatform(db)).toEqual([]);
    });
  });
});

describeWithPostgres('the migration of a large database', () => {
  it('moves tables without rewriting them', async () => {
    const open = await createPlace('postgres');
    const db = await open();
    await migrate(db, setsBefore);
    const fileOf = async (schema: string): Promise<unknown> =>
      (
        await db.query<object>('select pg_relation_filenode($1::regclass) as file', [
          `${schema}.event_claim`,
        ])
      ).rows;
    const file = await fileOf('gateway');
    await migrate(db, platformMigrations);
    expect(await fileOf('event_log')).toEqual(file);
  });
});

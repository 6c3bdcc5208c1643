import { type Applications, newId } from '@posthaste/contracts';
import {
  type Database,
  type MigrationSet,
  migrate,
  openEmbedded,
  openPostgres,
} from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stepReplay } from './actions/replay-steps.js';
import { listReplays } from './actions/replays.js';
import { callbacksMigrations } from './migrations.js';
import { Policies } from './retry/policies.js';
import { toRetryPolicy } from './retry/policy-input.js';
import { toStoredPolicy } from './retry/retry-policy.js';
import { findEventTarget, SubscriptionList } from './subscriptions/subscription-list.js';

/** Returns the migrations of a version before. */
const migrationsUpTo = (version: number): MigrationSet => ({
  ...callbacksMigrations,
  migrations: callbacksMigrations.migrations.slice(0, version),
});

/** Migrations of the version before endpoints had an event format. */
const before = migrationsUpTo(2);

const oldColumns = `id, application, name, url, headers, policy, policy_name, timeout_ms,
  rate_limit_per_second, max_concurrency, order_key, notification_email, state, state_reason,
  created_at, updated_at`;

/** Statements of a gateway and a worker of that version. */
const old = {
  createEndpoint: {
    name: 'old_create_endpoint',
    text: `insert into callbacks.endpoint (${oldColumns})
      values ($1, 'shop', $2, 'https://example.com/', '{}', '{"kind":"phases","phases":[]}', null, 1000, null, null,
        null, null, default, default, default, default)
      returning ${oldColumns}`,
  },
  updateEndpoint: {
    name: 'old_update_endpoint',
    text: `update callbacks.endpoint set application = 'shop', name = $2, url = $3, headers = '{}',
      policy = '{"kind":"phases","phases":[]}', policy_name = null, timeout_ms = 1000, rate_limit_per_second = null,
      max_concurrency = null, order_key = null, notification_email = null, updated_at = now()
      where id = $1 returning ${oldColumns}`,
  },
  subscribe: {
    name: 'old_subscribe',
    text: `insert into callbacks.subscription (id, endpoint_id, event_name, namespace, filter)
      values ($1, $2, $3, null, null)`,
  },
  changePolicy: {
    name: 'old_change_policy',
    text: `update callbacks.endpoint set policy = $2, policy_name = $3, updated_at = now()
      where id = $1 returning ${oldColumns}`,
  },
  createReplay: {
    name: 'old_create_replay',
    text: `insert into callbacks.replay (id, filter, rate_per_second)
      select $1, $2, 100
      where (
        select count(*) from callbacks.replay r
        where r.state = 'running'
          and r.filter ->> 'application' is not distinct from $2::json ->> 'application'
      ) < 10
      returning *`,
  },
  updateSubscription: {
    name: 'old_update_subscription',
    text: `update callbacks.subscription set event_name = $2, namespace = null, filter = null
      where id = $1 returning id`,
  },
  listSubscriptions: {
    name: 'old_subscription_list',
    text: `select s.event_name, s.namespace, s.filter::text as filter, e.id as endpoint_id,
      e.application, e.url, coalesce(p.policy, e.policy) as policy, e.timeout_ms, e.order_key,
      e.notification_email
    from callbacks.subscription s
    join callbacks.endpoint e on e.id = s.endpoint_id
    left join callbacks.policy p on p.name = e.policy_name
    order by s.id`,
  },
} as const;

async function generationOf(db: Database): Promise<bigint | undefined> {
  const statement = 'select generation from callbacks.subscription_generation';
  return (await db.query<{ generation: bigint }>(statement)).rows[0]?.generation;
}

async function formatsOf(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ name: string; event_format: string }>(
    'select name, event_format from callbacks.endpoint order by name',
  );
  return rows.map(({ name, event_format }) => `${name} ${event_format}`);
}

async function openDatabases(engine: 'postgres' | 'embedded'): Promise<[Database, Database]> {
  if (engine === 'embedded') {
    const db = await openEmbedded({});
    onTestFinished(() => db.close());
    return [db, db];
  }
  const { url, drop } = await createTestDatabase();
  const db = await openPostgres({ url, maxConnections: 2 });
  // One connection: what is prepared before the migration is used after it.
  const older = await openPostgres({ url, maxConnections: 1 });
  onTestFinished(async () => {
    await Promise.all([db.close(), older.close()]);
    await drop();
  });
  return [db, older];
}

describe.each(['postgres', 'embedded'] as const)('the event format on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('in a database of the version before', () => {
    it('is the envelope for endpoints that exist, and for those of older gateways', async () => {
      const [db, older] = await openDatabases(engine);
      await migrate(db, [before]);
      const [first, second] = [newId(), newId()];
      await older.query(old.createEndpoint, [first, 'first']);
      await older.query(old.subscribe, [newId(), first, '**']);
      expect((await older.query(old.listSubscriptions)).rowCount).toBe(1);
      await older.query(old.updateEndpoint, [first, 'first', 'https://example.com/1']);

      expect(await migrate(db, [callbacksMigrations])).toContainEqual({
        owner: 'callbacks',
        version: 3,
        name: 'event format of endpoints',
      });
      await older.query(old.createEndpoint, [second, 'second']);
      await older.query(old.subscribe, [newId(), second, '**']);
      expect((await older.query(old.listSubscriptions)).rowCount).toBe(2);
      expect(await formatsOf(db)).toEqual(['first envelope', 'second envelope']);
      const list = new SubscriptionList();
      expect((await list.current(db)).isEmpty).toBe(false);
      expect(await findEventTarget(db, second, 'all')).toMatchObject({ eventFormat: 'envelope' });
    });

    it('stays when an older gateway changes the endpoint', async () => {
      const [db, older] = await openDatabases(engine);
      await migrate(db, [before]);
      const id = newId();
      await older.query(old.createEndpoint, [id, 'first']);
      await migrate(db, [callbacksMigrations]);
      await db.query(`update callbacks.endpoint set event_format = 'cloudevents-binary'`);
      const generation = await generationOf(db);
      await older.query(old.updateEndpoint, [id, 'first', 'https://example.com/2']);
      expect(await formatsOf(db)).toEqual(['first cloudevents-binary']);
      expect(await generationOf(db)).toBe((generation ?? 0n) + 1n);
    });

    it('is noticed by workers when it changes, and is one of the known ones', async () => {
      const [db] = await openDatabases(engine);
      await migrate(db, [before]);
      await db.query(old.createEndpoint, [newId(), 'first']);
      await migrate(db, [callbacksMigrations]);
      const generation = await generationOf(db);
      await db.query(`update callbacks.endpoint set event_format = 'cloudevents-structured'`);
      expect(await generationOf(db)).toBe((generation ?? 0n) + 1n);
      const unknown = db.query(`update callbacks.endpoint set event_format = 'avro'`);
      await expect(unknown).rejects.toMatchObject({ code: expect.any(String) });
    });
  });
});

describe.each(['postgres', 'embedded'] as const)('applications on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  const none = { kind: 'phases', phases: [] };
  const own = { application: 'shop', name: 'p' };
  const retries = { phases: [{ retries: 2, delayMs: 60_000 }] };

  /** Migrates a database with an endpoint that an older gateway has made. */
  async function migrated(): Promise<{ db: Database; older: Database; id: string }> {
    const [db, older] = await openDatabases(engine);
    await migrate(db, [migrationsUpTo(3)]);
    const id = newId();
    await older.query(old.createEndpoint, [id, 'first']);
    await older.query(old.subscribe, [newId(), id, '**']);
    await older.query(old.listSubscriptions);
    await migrate(db, [callbacksMigrations]);
    return { db, older, id };
  }

  const nameOwnPolicy = async (db: Database, id: string): Promise<void> => {
    await new Policies(db).put(own, { phases: [] });
    await db.query('update callbacks.endpoint set own_policy_name = $2 where id = $1', [id, 'p']);
  };
  const ownNameOf = async (db: Database, id: string): Promise<string | null | undefined> => {
    const text = 'select own_policy_name as name from callbacks.endpoint where id = $1';
    return (await db.query<{ name: string | null }>(text, [id])).rows[0]?.name;
  };

  describeEngine('in a database of the version before', () => {
    it('share the policies that there were, and those of older gateways', async () => {
      const [db, older] = await openDatabases(engine);
      await migrate(db, [migrationsUpTo(3)]);
      const put = 'insert into callbacks.policy (name, policy) values ($1, $2)';
      await older.query(put, ['before', JSON.stringify(none)]);
      const id = newId();
      await older.query(old.createEndpoint, [id, 'first']);
      await older.query(old.changePolicy, [id, null, 'before']);
      await migrate(db, [callbacksMigrations]);
      await older.query(put, ['after', JSON.stringify(none)]);
      const { items } = await new Policies(db).list({ within: ['shop'] });
      expect(items).toMatchObject([
        { application: undefined, name: 'after' },
        { application: undefined, name: 'before' },
      ]);
      expect(await findEventTarget(db, id, ['shop'])).toMatchObject({ policy: none });
    });

    it('have the replays whose filter names them, also of older gateways', async () => {
      const [db, older] = await openDatabases(engine);
      await migrate(db, [migrationsUpTo(3)]);
      const create = async (filter: object): Promise<string> => {
        const id = newId();
        const values = [id, JSON.stringify({ state: 'failed', ...filter })];
        // In a transaction, as that gateway does: there, no statement is prepared again.
        await older.transaction((tx) => tx.query(old.createReplay, values));
        return id;
      };
      const first = await create({ application: 'shop' });
      const ofAll = await create({});
      await migrate(db, [callbacksMigrations]);
      const second = await create({ application: 'shop' });
      const empty = await create({ application: '' });
      const ids = async (within: Applications): Promise<string[]> =>
        (await listReplays(db, { within }, {})).items.map(({ id }) => id);
      expect(await ids(['shop'])).toEqual([second, first]);
      expect(await ids([''])).toEqual([empty]);
      expect(await ids('all')).toEqual([empty, second, ofAll, first]);
      expect(await stepReplay(db, 10)).toMatchObject({ state: 'done' });
    });

    it('are read by older workers with a copy of the policy that an endpoint names', async () => {
      const { db, older, id } = await migrated();
      await nameOwnPolicy(db, id);
      const { rows } = await older.query<{ policy: unknown }>(old.listSubscriptions);
      expect(rows).toMatchObject([{ policy: none }]);
      await new Policies(db).put(own, retries);
      expect(await findEventTarget(db, id, 'all')).toMatchObject({
        policy: toRetryPolicy(retries),
      });
    });

    it('keep the policy of an endpoint until an older gateway gives it another one', async () => {
      const { db, older, id } = await migrated();
      await nameOwnPolicy(db, id);
      await older.query(old.updateEndpoint, [id, 'renamed', 'https://example.com/1']);
      expect(await ownNameOf(db, id)).toBe('p');
      await older.query(old.changePolicy, [
        id,
        JSON.stringify(toStoredPolicy(toRetryPolicy(retries))),
        null,
      ]);
      expect(await ownNameOf(db, id)).toBeNull();
      expect(await findEventTarget(db, id, 'all')).toMatchObject({
        policy: toRetryPolicy(retries),
      });
      await nameOwnPolicy(db, id);
      await older.query('insert into callbacks.policy (name, policy) values ($1, $2)', [
        'shared',
        JSON.stringify(none),
      ]);
      await older.query(old.changePolicy, [id, null, 'shared']);
      expect(await ownNameOf(db, id)).toBeNull();
    });

    it('tell workers of every change of a policy', async () => {
      const { db, id } = await migrated();
      await new Policies(db).put(own, { phases: [] });
      const start = (await generationOf(db)) ?? 0n;
      await nameOwnPolicy(db, id);
      // One for the policy, one for the name.
      expect(await generationOf(db)).toBe(start + 2n);
    });
  });
});

describe.each(['postgres', 'embedded'] as const)('the fault of a filter on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('in a database of the version before', () => {
    it('is removed by a gateway of that version, which changes the subscription', async () => {
      const [db, older] = await openDatabases(engine);
      await migrate(db, [before]);
      const [endpoint, id] = [newId(), newId()];
      await older.query(old.createEndpoint, [endpoint, 'first']);
      await older.query(old.subscribe, [id, endpoint, '**']);
      await migrate(db, [callbacksMigrations]);
      const faults = async () => (await db.query('select fault from callbacks.subscription')).rows;
      const generation = await generationOf(db);
      await db.query(`update callbacks.subscription set fault = '{}'`);
      expect(await faults()).toEqual([{ fault: {} }]);
      // Events are matched as before, so workers need not read the subscriptions again.
      expect(await generationOf(db)).toBe(generation);
      await older.query(old.updateSubscription, [id, 'order.*']);
      expect(await faults()).toEqual([{ fault: null }]);
      expect(await generationOf(db)).toBe((generation ?? 0n) + 1n);
      await older.query(old.subscribe, [newId(), endpoint, '**']);
      expect(await generationOf(db)).toBe((generation ?? 0n) + 2n);
    });
  });
});

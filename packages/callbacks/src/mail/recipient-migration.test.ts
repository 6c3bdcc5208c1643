import { newId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callbacksMigrations } from '../migrations.js';
import { enqueueNotices } from './mail-outbox.js';
import { planMail } from './mail-planner.js';
import { listMailRecipients } from './recipients.js';

const before = {
  ...callbacksMigrations,
  migrations: callbacksMigrations.migrations.filter(({ version }) => version < 5),
};

/** Statements of a worker of the version before. */
const old = {
  enqueue: {
    name: 'old_enqueue',
    text: `insert into callbacks.mail (id, recipient, subject, body)
      select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])`,
  },
  claim: {
    name: 'old_claim',
    text: `
with due as (
  select id from callbacks.mail where due_at <= now()
  order by due_at limit $1
  for no key update skip locked
)
update callbacks.mail m
set attempts = m.attempts + 1, due_at = now() + $2::float8 * interval '1 ms'
from due where m.id = due.id
returning m.id, m.recipient, m.subject, m.body, m.attempts`,
  },
} as const;

async function openDatabase(engine: 'postgres' | 'embedded'): Promise<Database> {
  if (engine === 'embedded') {
    const db = await openEmbedded({});
    onTestFinished(() => db.close());
    return db;
  }
  const { url, drop } = await createTestDatabase();
  const db = await openPostgres({ url, maxConnections: 1 });
  onTestFinished(async () => {
    await db.close();
    await drop();
  });
  return db;
}

async function createEndpoint(db: Database, application: string, email: string | null) {
  await db.query(
    `insert into callbacks.endpoint
       (id, application, name, url, headers, policy, timeout_ms, notification_email)
     values ($1, $2, $1::uuid::text, 'https://example.com/', '{}', '{}', 1000, $3)`,
    [newId(), application, email],
  );
}

describe.each(['postgres', 'embedded'] as const)('the migration of recipients on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('in a database of the version before', () => {
    it('confirms the addresses of endpoints that exist', async () => {
      const db = await openDatabase(engine);
      await migrate(db, [before]);
      await createEndpoint(db, 'shop', 'Ops+1@Example.com');
      await createEndpoint(db, 'shop', 'Ops+1@example.COM');
      await createEndpoint(db, '', 'ops@example.com');
      await createEndpoint(db, 'shop', null);
      await createEndpoint(db, 'shop', '');
      await migrate(db, [callbacksMigrations]);
      const { items } = await listMailRecipients(db, { within: 'all' });
      expect(items.map(({ application, address }) => `${application} ${address}`).sort()).toEqual([
        ' ops@example.com',
        'shop Ops+1@example.com',
      ]);
      for (const item of items) {
        expect(item).toMatchObject({ state: 'confirmed', decidedBy: 'migration', held: 0 });
      }
      const { rows } = await db.query<{ mailbox: string; refuse_token: string }>(
        'select distinct mailbox from callbacks.mail_recipient',
      );
      expect(rows).toEqual([{ mailbox: 'ops@example.com' }]);
    });

    it('keeps mails that wait, and lets older workers go on', async () => {
      const db = await openDatabase(engine);
      await migrate(db, [before]);
      await db.query(old.enqueue, [[newId()], ['a@example.com'], ['S'], ['before']]);
      await migrate(db, [callbacksMigrations]);
      await db.query(old.enqueue, [[newId()], ['a@example.com'], ['S'], ['after']]);
      // Not due before it is planned, nor while it waits for a confirmation.
      const notice = { recipient: 'a@example.com', subject: 'S', body: 'new' };
      await enqueueNotices(db, [{ application: 'shop', ...notice }]);
      const claim = async () =>
        (await db.query<{ body: string }>(old.claim, [10, 60_000])).rows
          .map(({ body }) => body)
          .sort();
      expect(await claim()).toEqual(['after', 'before']);
      await planMail(db, {});
      expect(await claim()).toEqual([]);
      expect((await listMailRecipients(db, { within: 'all' })).items).toMatchObject([{ held: 1 }]);
    });
  });
});

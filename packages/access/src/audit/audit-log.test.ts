import { newId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessMigrations } from '../migrations.js';
import { type AuditQuery, listAuditEntries } from './audit-log.js';
import { deleteOldEntries } from './audit-store.js';
import { type Actor, type AuditEntry, type Change, platformActor } from './change.js';
import { type AuditEvent, createChangeRecorder } from './record-change.js';

const day = 86_400_000;
const ada: Actor = { kind: 'key', id: newId(), name: 'ada' };

function testOn(open: () => Promise<{ db: Database; drop(): Promise<void> }>): void {
  let db: Database;
  let drop: () => Promise<void>;
  const record = createChangeRecorder();
  const add = (change: Partial<Change> = {}): Promise<AuditEntry> =>
    db.transaction((tx) =>
      record(tx, {
        actor: ada,
        action: 'endpoint.updated',
        target: { kind: 'endpoint', id: newId(), name: 'orders' },
        ...change,
      }),
    );
  const list = (query: Partial<AuditQuery> = {}) =>
    listAuditEntries(db, { within: 'all', limit: 100, ...query });
  const idsOf = async (query: Partial<AuditQuery>): Promise<string[]> =>
    (await list(query)).items.map(({ id }) => id);

  beforeAll(async () => {
    ({ db, drop } = await open());
    await migrate(db, [accessMigrations]);
  });
  afterAll(async () => {
    await db.close();
    await drop();
  });

  it('keeps what was recorded, with the members that changed', async () => {
    const entry = await add({
      application: 'shop',
      before: { name: 'a', headers: { 'x-a': '1', 'x-b': '2' }, gone: 1 },
      after: { name: 'b', headers: { 'x-a': '1', 'x-b': '3' } },
      origin: { address: '192.0.2.1', userAgent: 'curl/8', requestId: 'r-1' },
      note: 'by hand',
    });
    expect(entry.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
    expect((await list({ within: ['shop'] })).items).toEqual([entry]);
    expect(entry).toMatchObject({
      before: { name: 'a', headers: { 'x-a': '***', 'x-b': '***' }, gone: 1 },
      after: { name: 'b', headers: { 'x-a': '***', 'x-b': '***' } },
      changed: ['/name', '/headers/x-b', '/gone'],
      origin: { address: '192.0.2.1', userAgent: 'curl/8', requestId: 'r-1' },
      note: 'by hand',
    });
  });

  it('lists the newest first, page by page, also with a filter that matches few', async () => {
    const target = { kind: 'queue', id: 'paged/q', name: 'q' };
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      ids.unshift((await add({ target, application: i % 2 ? 'p1' : 'p2' })).id);
      await add({ application: 'p3' });
    }
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ target: 'paged/q', limit: 2, cursor });
      pages.push(page.items.map(({ id }) => id));
      cursor = page.next;
    } while (cursor !== undefined);
    expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  });

  it('shows those of the given applications only, and those of none only with all', async () => {
    const one = await add({ application: 'w1' });
    const two = await add({ application: 'w2' });
    const none = await add({ application: undefined });
    const empty = await add({ application: '' });
    expect(await idsOf({ within: ['w1', 'w2', 'w1'] })).toEqual([two.id, one.id]);
    expect(await idsOf({ within: [''] })).toEqual([empty.id]);
    expect(await idsOf({ within: [] })).toEqual([]);
    expect(await idsOf({ within: 'all', limit: 4 })).toEqual([empty.id, none.id, two.id, one.id]);
  });

  it('filters by actor, action, target and time', async () => {
    const first = await add({
      application: 'f',
      actor: platformActor,
      action: 'endpoint.disabled',
      target: { kind: 'endpoint', id: 'e1', name: 'first' },
    });
    const second = await add({
      application: 'f',
      action: 'queue.paused',
      target: { kind: 'queue', id: 'f/q', name: 'q' },
    });
    const found = (query: Partial<AuditQuery>) => idsOf({ within: ['f'], ...query });
    expect(await found({ actor: ada.id })).toEqual([second.id]);
    expect(await found({ actor: 'ada' })).toEqual([second.id]);
    expect(await found({ actorKind: 'platform' })).toEqual([first.id]);
    expect(await found({ action: 'endpoint.*' })).toEqual([first.id]);
    expect(await found({ action: 'queue.paused' })).toEqual([second.id]);
    expect(await found({ action: '*' })).toEqual([]);
    expect(await found({ target: 'e1' })).toEqual([first.id]);
    expect(await found({ target: 'first' })).toEqual([first.id]);
    expect(await found({ targetKind: 'queue' })).toEqual([second.id]);
    const later = new Date(second.time.getTime() + 1);
    expect(await found({ since: first.time, until: later })).toEqual([second.id, first.id]);
    expect(await found({ since: later })).toEqual([]);
    expect(await found({ until: first.time })).toEqual([]);
    await expect(list({ action: 'a*' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(list({ cursor: 'x' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('is append-only: no statement changes or removes an entry', async () => {
    const { id } = await add();
    for (const statement of [
      `update gateway.audit set note = 'x' where id = '${id}'`,
      `delete from gateway.audit where id = '${id}'`,
      'truncate gateway.audit',
      `begin; select set_config('posthaste.audit_retention_ms', '3600000', true);
       delete from gateway.audit where id = '${id}'; commit`,
      `begin; select set_config('posthaste.audit_retention_ms', '0', true);
       delete from gateway.audit where id = '${id}'; commit`,
    ]) {
      await expect(
        db.transaction((tx) => tx.query(statement)),
        statement,
      ).rejects.toThrow(/append-only/);
    }
    expect(await idsOf({ limit: 1 })).toEqual([id]);
  });

  it('loses only what is older than the retention, in slices', async () => {
    await db.query(`
      insert into gateway.audit (id, time, actor_kind, actor_id, actor_name, action, target_kind,
        target_id, target_name, changed, application)
      select gateway.audit_id(t), t, 'platform', 'p', 'p', 'x.y', 'x', 'x', 'x', '{}', 'old'
      from (select now() - n * interval '1 day' as t from generate_series(1, 10) n) s`);
    const retention = { retentionMs: 6.5 * day, maxRows: 3 };
    expect(await deleteOldEntries(db, retention)).toBe(3);
    expect(await deleteOldEntries(db, retention)).toBe(1);
    expect(await deleteOldEntries(db, retention)).toBe(0);
    const kept = (await list({ within: ['old'] })).items;
    expect(kept).toHaveLength(6);
  });

  it('emits an event for each entry, in the transaction of the change', async () => {
    const emitted: AuditEvent[] = [];
    const recordAndEmit = createChangeRecorder({
      append: async (_tx, events) => emitted.push(...events),
    });
    const target = { kind: 'secret', id: 'shop/main', name: 'main' };
    const change = { application: 'shop', actor: ada, action: 'secret.rotated', target };
    const entry = await db.transaction((tx) => recordAndEmit(tx, change));
    expect(emitted).toMatchObject([
      {
        topic: 'audit',
        key: 'secret/shop/main',
        application: 'shop',
        envelope: {
          name: 'audit.recorded',
          namespace: 'shop',
          payload: { id: entry.id, action: 'secret.rotated', target, before: null },
        },
      },
    ]);
  });

  it('names the size of what is too large to keep, and still says that it changed', async () => {
    const filter = { enum: Array.from({ length: 9_000 }, (_, i) => `value ${i}`) };
    const entry = await add({ before: { id: 1, filter }, after: { id: 1, filter: {} } });
    expect(entry).toMatchObject({
      before: { id: 1, filter: expect.stringMatching(/^… \(\d+ characters\)$/) },
      changed: ['/filter/enum'],
    });
  });
}

describe('audit log, embedded', () => {
  testOn(async () => ({ db: await openEmbedded(), drop: async () => undefined }));
});

describeWithPostgres('audit log, on Postgres', () => {
  testOn(async () => {
    const { url, drop } = await createTestDatabase();
    return { db: await openPostgres({ url, maxConnections: 4 }), drop };
  });
});

import { newId, toCompactId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ApiKeys } from '../keys/api-keys.js';
import { accessMigrations } from '../migrations.js';
import { Sessions, type SessionsOptions } from './sessions.js';

const anna = {
  ...{ issuer: 'https://id.example', subject: 'anna', name: 'Anna', email: 'anna@example.com' },
  roles: [],
};
const grants = [
  { role: 'admin', applications: ['shop'] },
  { role: 'viewer', applications: 'all' },
] as const;
const ended = expect.objectContaining({ code: 'SESSION_INVALID' });

/** Runs the same tests on both engines. */
function sessionsOn(open: () => Promise<{ db: Database; drop: () => Promise<void> }>): void {
  let db: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ db, drop } = await open());
    await migrate(db, [accessMigrations]);
  });

  afterAll(async () => {
    await db.close();
    await drop();
  });

  function createSessions(options: Partial<SessionsOptions> = {}): Sessions {
    const sessions = new Sessions(db, {
      ...{ cookieName: 'session', lengthMs: 3_600_000, idleTimeoutMs: 600_000, checkMs: 5 },
      ...options,
    });
    onTestFinished(() => sessions.close());
    return sessions;
  }

  /** Signs Anna in. */
  const signIn = (sessions = createSessions(), signInId = newId()) =>
    sessions.createForPerson(anna, { grants, signInId });

  it('know the person and the roles', async () => {
    const { session, token } = await signIn();
    const caller = await createSessions().authenticate(token);
    expect(caller).toMatchObject({
      kind: 'person',
      id: session.id,
      name: 'Anna',
      applications: 'all',
      rights: [
        { applications: ['shop'], scopes: ['admin'] },
        { applications: 'all', scopes: expect.arrayContaining(['callbacks:read']) },
      ],
    });
    expect(session).toMatchObject({ subject: 'anna', email: 'anna@example.com', grants });
  });

  it('are stored without their token', async () => {
    const { token } = await signIn();
    const secret = token.slice(-43);
    const { rows } = await db.query<{ row: string }>(
      'select row_to_json(s)::text as row from gateway.session s',
    );
    const stored = rows.map(({ row }) => row).join();
    expect(stored).not.toContain(secret);
    expect(stored).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  });

  it('are refused when forged, unknown or malformed', async () => {
    const sessions = createSessions();
    const { session, token } = await signIn(sessions);
    await sessions.authenticate(token);
    const other = await signIn(sessions);
    const wrong = [
      `phs_${toCompactId(session.id)}_${other.token.slice(-43)}`,
      `phs_${toCompactId(newId())}_${token.slice(-43)}`,
      token.replace('phs_', 'phk_'),
      `${token}x`,
      session.id,
      '',
      `phs_${'0'.repeat(100_000)}`,
    ];
    for (const text of wrong) {
      await expect(sessions.authenticate(text)).rejects.toThrow(ended);
      expect(sessions.findCached(text)).toBeUndefined();
    }
  });

  it('end everywhere when they are revoked', async () => {
    const here = createSessions();
    const elsewhere = createSessions();
    const { session, token } = await signIn(here);
    await here.authenticate(token);
    await elsewhere.authenticate(token);
    const revoked = await here.revoke(session.id);
    expect(revoked.revokedAt).toBeInstanceOf(Date);
    expect(here.findCached(token)).toBeUndefined();
    await expect(here.authenticate(token)).rejects.toThrow(ended);
    await expect.poll(() => elsewhere.findCached(token)).toBeUndefined();
    await expect(elsewhere.authenticate(token)).rejects.toThrow(ended);
    expect((await here.revoke(session.id)).revokedAt).toEqual(revoked.revokedAt);
    await expect(here.revoke(newId())).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(here.revoke('x')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('end when their time is over, and when they are idle for too long', async () => {
    let nowMs = 0;
    const sessions = createSessions({ lengthMs: 600_000, now: () => nowMs });
    const { session, token } = await signIn(sessions);
    await sessions.authenticate(token);
    // Within the time for which it is not looked up again, too.
    nowMs = 600_001;
    expect(sessions.findCached(token)).toBeUndefined();
    const idle = createSessions({ idleTimeoutMs: 60_000 });
    await idle.authenticate(token);
    await setLastUsed(session.id, '61 seconds');
    await expect(createSessions({ idleTimeoutMs: 60_000 }).authenticate(token)).rejects.toThrow(
      ended,
    );
    await createSessions().authenticate(token);
    await db.query(
      "update gateway.session set expires_at = now() - interval '1 ms' where id = $1",
      [session.id],
    );
    await expect(createSessions().authenticate(token)).rejects.toThrow(ended);
  });

  it('are kept alive by their use', async () => {
    const { session, token } = await signIn();
    await setLastUsed(session.id, '9 minutes');
    await createSessions().authenticate(token);
    await expect
      .poll(async () => {
        const { rows } = await db.query<{ age: number }>(
          'select extract(epoch from now() - last_used_at)::float8 as age from gateway.session where id = $1',
          [session.id],
        );
        return rows[0]?.age;
      })
      .toBeLessThan(120);
  });

  it('are made once for one sign-in', async () => {
    const signInId = newId();
    await signIn(createSessions(), signInId);
    await expect(signIn(createSessions(), signInId)).rejects.toMatchObject({
      code: 'SIGN_IN_FAILED',
    });
  });

  it('of an API key have its rights, and end with it', async () => {
    const keys = new ApiKeys(db);
    const { key } = await keys.createKey({
      ...{ name: 'shop', scopes: ['callbacks:read'], applications: ['shop'] },
      expiresAt: new Date(Date.now() + 600_000),
    });
    const sessions = createSessions();
    const { session, token } = await sessions.createForKey(key);
    expect(await sessions.authenticate(token)).toMatchObject({
      ...{ kind: 'person', id: session.id, name: 'shop', expiresAt: key.expiresAt },
      countedAs: key.id,
      ...{ applications: ['shop'], scopes: ['callbacks:read'] },
    });
    await keys.revokeKey(key.id, 'all');
    await expect.poll(() => sessions.findCached(token)).toBeUndefined();
    await expect(sessions.authenticate(token)).rejects.toThrow(ended);
    const second = await keys.createKey({ name: 'short', scopes: ['admin'] });
    const short = await sessions.createForKey(second.key);
    await db.query(
      "update gateway.api_key set expires_at = now() - interval '1 ms' where id = $1",
      [second.key.id],
    );
    await expect(sessions.authenticate(short.token)).rejects.toThrow(ended);
  });

  it('are listed newest first, page by page, without their secrets', async () => {
    const sessions = createSessions();
    const first = await signIn(sessions);
    const second = await signIn(sessions);
    const [newest] = await sessions.list({ limit: 1 });
    expect(newest).toEqual(second.session);
    expect(await sessions.list({ limit: 1, before: second.session.id })).toEqual([first.session]);
  });

  it('are at most a hundred of one person, and old ones are deleted', async () => {
    const sessions = createSessions();
    const bob = { ...anna, subject: newId() };
    const oldest = await sessions.createForPerson(bob, { grants, signInId: newId() });
    const expired = await sessions.createForPerson(bob, { grants, signInId: newId() });
    await db.query(
      "update gateway.session set expires_at = now() - interval '31 days' where id = $1",
      [expired.session.id],
    );
    for (let count = 0; count < 100; count += 1) {
      await sessions.createForPerson(bob, { grants, signInId: newId() });
    }
    const { rows } = await db.query<{ id: string }>(
      'select id from gateway.session where subject = $1',
      [bob.subject],
    );
    expect(rows).toHaveLength(100);
    expect(rows.map(({ id }) => id)).not.toContain(expired.session.id);
    await expect(sessions.authenticate(oldest.token)).rejects.toThrow(ended);
  });

  function setLastUsed(id: string, age: string): Promise<unknown> {
    return db.query(
      `update gateway.session set last_used_at = now() - $2::text::interval where id = $1`,
      [id, age],
    );
  }
}

describe('sessions on the embedded database', () => {
  sessionsOn(async () => ({ db: await openEmbedded(), drop: async () => undefined }));
});

describeWithPostgres('sessions on Postgres', () => {
  sessionsOn(async () => {
    const { url, drop } = await createTestDatabase();
    return { db: await openPostgres({ url }), drop };
  });
});

import { newId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded } from '@posthaste/postgres';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Caller, callerFor, localCaller } from '../caller.js';
import { ApiKeys } from '../keys/api-keys.js';
import { accessMigrations } from '../migrations.js';
import { Sessions } from '../people/sessions.js';
import { ShortLivedTokens, type ShortLivedTokensOptions } from './short-lived-tokens.js';
import type { TokenRequest } from './token-rights.js';

const request: TokenRequest = {
  ...{ name: 'portal', applications: ['shop'], expiresInSeconds: 60 },
  scopes: ['callbacks:read'],
};
const invalid = expect.objectContaining({ code: 'TOKEN_INVALID' });

describe('short-lived tokens', () => {
  let db: Database;
  let keys: ApiKeys;
  let sessions: Sessions;

  beforeAll(async () => {
    db = await openEmbedded({});
    await migrate(db, [accessMigrations]);
    keys = new ApiKeys(db);
    sessions = new Sessions(db, {
      ...{ cookieName: 'session', lengthMs: 3_600_000, idleTimeoutMs: 600_000 },
    });
  });

  afterAll(() => db.close());

  function createTokens(options: Partial<ShortLivedTokensOptions> = {}): ShortLivedTokens {
    const tokens = new ShortLivedTokens(db, {
      ...{ secretKey: Buffer.alloc(32, 1), sessions, acceptsLocal: false, checkMs: 5 },
      ...options,
    });
    onTestFinished(() => tokens.close());
    return tokens;
  }

  /** Creates a key and returns it as a caller. */
  async function keyCaller(rights: Pick<Caller, 'applications' | 'scopes'>): Promise<Caller> {
    const { token } = await keys.createKey({ name: 'maker', ...rights });
    return keys.authenticate(token);
  }

  it('may do what they name, in every process with the same secret key', async () => {
    const maker = await keyCaller({ applications: 'all', scopes: ['admin'] });
    const { id, token, expiresAt } = createTokens().create(maker, request);
    const tokens = createTokens();
    expect(tokens.findCached(token)).toBeUndefined();
    const caller = await tokens.authenticate(token);
    expect(caller).toMatchObject({
      ...{ kind: 'token', id, name: 'portal', applications: ['shop'], scopes: ['callbacks:read'] },
    });
    expect(tokens.findCached(token)).toEqual(caller);
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now() + 58_000);
    const others = createTokens({ secretKey: Buffer.alloc(32, 2) });
    await expect(others.authenticate(token)).rejects.toThrow(invalid);
  });

  it('end at their time, also while they are in use', async () => {
    let clockMs = 1_000_000;
    const tokens = createTokens({
      clock: () => clockMs,
      now: () => clockMs,
      idleMs: 120_000,
      trustMs: 120_000,
    });
    const maker = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const { token } = tokens.create(maker, request);
    await tokens.authenticate(token);
    clockMs += 59_999;
    expect(tokens.findCached(token)).toBeDefined();
    clockMs += 1;
    expect(tokens.findCached(token)).toBeUndefined();
    await expect(tokens.authenticate(token)).rejects.toThrow(invalid);
  });

  it('end with the key that made them', async () => {
    const tokens = createTokens();
    const maker = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const { token } = tokens.create(maker, request);
    await tokens.authenticate(token);
    await keys.revokeKey(maker.id, 'all');
    await expect.poll(() => tokens.findCached(token)).toBeUndefined();
    await expect(tokens.authenticate(token)).rejects.toThrow(invalid);
  });

  it('end with the session that made them', async () => {
    const tokens = createTokens();
    const identity = { issuer: 'i', subject: 's', name: 'Anna', email: null, roles: [] };
    const grants = [{ role: 'admin', applications: ['shop'] } as const];
    const made = await sessions.createForPerson(identity, { grants, signInId: newId() });
    const { token } = tokens.create(await sessions.authenticate(made.token), request);
    expect(await tokens.authenticate(token)).toMatchObject({ kind: 'token' });
    await sessions.revoke(made.session.id);
    await expect.poll(() => tokens.findCached(token)).toBeUndefined();
    await expect(tokens.authenticate(token)).rejects.toThrow(invalid);
  });

  it('cannot have more than their maker', async () => {
    const tokens = createTokens();
    const maker = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const create = (changes: object) => () => tokens.create(maker, { ...request, ...changes });
    const foreign = expect.objectContaining({ code: 'APPLICATION_FORBIDDEN' });
    expect(create({ applications: ['shop', 'pay'] })).toThrow(foreign);
    expect(create({ applications: 'all' })).toThrow(foreign);
    const beyond = expect.objectContaining({ code: 'SCOPE_MISSING' });
    expect(create({ scopes: ['callbacks:read', 'callbacks:write'] })).toThrow(beyond);
    expect(create({ scopes: ['admin'] })).toThrow(beyond);
    expect(create({ applications: Array.from({ length: 2 }, () => 'shop') })).not.toThrow();
  });

  it('cannot join roles that a person has in different applications', async () => {
    const tokens = createTokens();
    const identity = { issuer: 'i', subject: 't', name: 'Ben', email: null, roles: [] };
    const grants = [
      { role: 'admin', applications: ['shop'] },
      { role: 'viewer', applications: ['pay'] },
    ] as const;
    const made = await sessions.createForPerson(identity, { grants, signInId: newId() });
    const maker = await sessions.authenticate(made.token);
    const both = { ...request, applications: ['shop', 'pay'] };
    expect(() => tokens.create(maker, { ...both, scopes: ['callbacks:write'] })).toThrow(
      expect.objectContaining({ code: 'SCOPE_MISSING' }),
    );
    const { token } = tokens.create(maker, both);
    const caller = await tokens.authenticate(token);
    expect(callerFor(caller, 'callbacks:read').applications).toEqual(['shop', 'pay']);
    expect(callerFor(caller, 'callbacks:write').scopes).not.toContain('callbacks:write');
  });

  it('lose what their maker loses', async () => {
    const tokens = createTokens();
    const maker = await keyCaller({
      applications: ['shop', 'pay'],
      scopes: ['callbacks:read', 'queues:read'],
    });
    const { token } = tokens.create(maker, {
      ...request,
      applications: ['shop', 'pay'],
      scopes: ['callbacks:read', 'queues:read'],
    });
    await tokens.authenticate(token);
    await db.query(
      `update gateway.api_key set applications = '{pay}', scopes = '{queues:read}' where id = $1`,
      [maker.id],
    );
    await expect
      .poll(() => tokens.authenticate(token))
      .toMatchObject({ applications: ['pay'], scopes: ['queues:read'] });
  });

  it('make no tokens themselves', async () => {
    const tokens = createTokens();
    const maker = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const caller = await tokens.authenticate(tokens.create(maker, request).token);
    expect(() => tokens.create(caller, request)).toThrow(
      expect.objectContaining({ code: 'TOKEN_PARENT_INVALID' }),
    );
  });

  it('of a server that needs no credential work on such servers only', async () => {
    const local = createTokens({ acceptsLocal: true });
    const { token } = local.create(localCaller, request);
    expect(await local.authenticate(token)).toMatchObject({ applications: ['shop'] });
    await expect(createTokens().authenticate(token)).rejects.toThrow(invalid);
  });

  it('have a bounded length', async () => {
    const applications = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(256, 'x'));
    expect(() => createTokens().create(localCaller, { ...request, applications })).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }),
    );
  });

  it('can be revoked one by one, by their maker or by themselves', async () => {
    const [here, elsewhere] = [createTokens(), createTokens()];
    const maker = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const stranger = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const [first, second] = [here.create(maker, request), here.create(maker, request)];
    for (const { token } of [first, second]) {
      await here.authenticate(token);
      await elsewhere.authenticate(token);
    }
    await here.revoke(stranger, first.id);
    expect(await createTokens().authenticate(first.token)).toMatchObject({ id: first.id });
    await here.revoke(maker, first.id);
    await here.revoke(maker, first.id);
    await expect(here.authenticate(first.token)).rejects.toThrow(invalid);
    await expect.poll(() => elsewhere.findCached(first.token)).toBeUndefined();
    const itself = await elsewhere.authenticate(second.token);
    const notFound = expect.objectContaining({ code: 'TOKEN_NOT_FOUND' });
    await expect(here.revoke(itself, first.id)).rejects.toThrow(notFound);
    await expect(here.revoke(maker, 'x')).rejects.toThrow(notFound);
    await here.revoke(itself, second.id);
    await expect(here.authenticate(second.token)).rejects.toThrow(invalid);
  });

  it('can be revoked one by one a limited number of times', async () => {
    const tokens = createTokens();
    const maker = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    const { id, token } = tokens.create(maker, request);
    await db.query(
      `insert into gateway.revoked_token (id, parent_id, expires_at)
      select gen_random_uuid(), $1, now() + interval '1 hour' from generate_series(1, 999)`,
      [maker.id],
    );
    await tokens.revoke(maker, id);
    await tokens.revoke(maker, id);
    await expect(tokens.authenticate(token)).rejects.toThrow(invalid);
    await expect(tokens.revoke(maker, newId())).rejects.toMatchObject({
      code: 'TOKEN_REVOCATIONS_EXHAUSTED',
    });
    await db.query("update gateway.revoked_token set expires_at = now() - interval '1 s'");
    const other = await keyCaller({ applications: ['shop'], scopes: ['callbacks:read'] });
    await tokens.revoke(other, newId());
    await tokens.revoke(maker, newId());
  });
});

import { randomBytes } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { Webhook } from 'standardwebhooks';
import { beforeEach, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { createSecretBox } from './secret-box.js';
import { removeExpiredSecrets } from './secret-store.js';
import { Secrets } from './secrets.js';
import { parseSecret, sign } from './signature.js';

const masterKey = randomBytes(32);
const body = Buffer.from('{"order":7}');
const orders = { application: 'shop', name: 'orders' };

describeWithPostgres('secrets', () => {
  const store = useSharedStore();
  let secrets: Secrets;
  const clock = { ms: 0 };
  beforeEach(async () => {
    await store.db.query('truncate callbacks.secret');
    secrets = open(masterKey);
  });
  const open = (key: Buffer, oldKeys: Buffer[] = []): Secrets =>
    new Secrets(store.db, createSecretBox(key, oldKeys), { now: () => clock.ms });
  const tryToVerify = (secret: string, signature: string, timestampSeconds: number): boolean => {
    const headers = {
      'webhook-id': 'm1',
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signature,
    };
    try {
      new Webhook(secret).verify(body, headers);
      return true;
    } catch {
      return false;
    }
  };
  /** For each secret: true if a receiver with it accepts what is signed now. */
  const accepted = async (...texts: string[]): Promise<boolean[]> => {
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    const keys = await secrets.signingKeys(orders);
    const signature = sign({ id: 'm1', timestampSeconds, body, keys });
    return texts.map((text) => tryToVerify(text, signature, timestampSeconds));
  };
  const withCode = (code: string): unknown => expect.objectContaining({ code });

  it('are generated or given, and can sign', async () => {
    const generated = await secrets.create(orders);
    expect(generated).toMatchObject({ ...orders, version: 1, kind: 'hmac', publicKey: undefined });
    expect(await accepted(generated.secret)).toEqual([true]);
    const given = `whsec_${randomBytes(24).toString('base64')}`;
    const other = await secrets.create({ application: '', name: 'given', secret: given });
    expect(other.secret).toBe(given);
    expect(await secrets.signingKeys({ application: '', name: 'given' })).toHaveLength(1);
  });

  it('are sealed in the table', async () => {
    const { secret } = await secrets.create(orders);
    const { rows } = await store.db.query<{ sealed: Buffer; line: string }>(
      'select sealed, s::text as line from callbacks.secret s',
    );
    const [row] = rows;
    const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64');
    expect(row?.sealed.includes(secret)).toBe(false);
    expect(row?.sealed.includes(bytes)).toBe(false);
    expect(row?.line).not.toContain(secret.slice('whsec_'.length));
    expect(row?.line).not.toContain(bytes.toString('hex'));
  });

  it('sign together during a rotation, and not after the grace time', async () => {
    const first = await secrets.create(orders);
    const second = await secrets.rotate({ ...orders, graceMs: 300 });
    expect(second.version).toBe(2);
    expect(await accepted(first.secret, second.secret)).toEqual([true, true]);
    await new Promise((resolve) => setTimeout(resolve, 350));
    clock.ms += 5_000;
    expect(await accepted(first.secret, second.secret)).toEqual([false, true]);
    expect((await secrets.get(orders)).versions.map(({ version }) => version)).toEqual([2]);
    expect(await removeExpiredSecrets(store.db)).toBe(1);
  });

  it('can be rotated without grace', async () => {
    const first = await secrets.create(orders);
    const second = await secrets.rotate({ ...orders, graceMs: 0 });
    expect(await accepted(first.secret, second.secret)).toEqual([false, true]);
    const { rows } = await store.db.query('select version from callbacks.secret');
    expect(rows).toEqual([{ version: 2 }]);
  });

  it('rotated several times keep the earliest expiry of each version', async () => {
    await secrets.create(orders);
    await secrets.rotate({ ...orders, graceMs: 60_000 });
    await secrets.rotate({ ...orders, graceMs: 3_600_000 });
    const { versions } = await secrets.get(orders);
    const inMs = versions.map(({ expiresAt }) => expiresAt && expiresAt.getTime() - Date.now());
    expect(versions.map(({ version }) => version)).toEqual([3, 2, 1]);
    expect(inMs[0]).toBeUndefined();
    expect(inMs[1]).toBeGreaterThan(60_000);
    expect(inMs[2]).toBeLessThanOrEqual(60_000);
  });

  it('can be rotated by several callers at once', async () => {
    await secrets.create(orders);
    const rotated = await Promise.all(
      Array.from({ length: 8 }, () => secrets.rotate({ ...orders, graceMs: 60_000 })),
    );
    const versions = rotated.map(({ version }) => version).sort((a, b) => a - b);
    expect(versions).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await secrets.signingKeys(orders)).toHaveLength(9);
  });

  it('can change from HMAC to ed25519, and keep their kind otherwise', async () => {
    await secrets.create(orders);
    const second = await secrets.rotate({ ...orders, kind: 'ed25519' });
    expect(second.publicKey).toBe(parseSecret(second.secret).publicKey);
    const third = await secrets.rotate(orders);
    expect(third.kind).toBe('ed25519');
    const { versions } = await secrets.get(orders);
    expect(versions.map(({ kind }) => kind)).toEqual(['ed25519', 'ed25519', 'hmac']);
    expect(versions.map(({ publicKey }) => publicKey)).toEqual([
      third.publicKey,
      second.publicKey,
      undefined,
    ]);
    const keys = await secrets.signingKeys(orders);
    expect(sign({ id: 'm1', timestampSeconds: 1, body, keys })).toMatch(
      /^v1a,\S{88} v1a,\S{88} v1,\S{44}$/,
    );
  });

  it('are cached for five seconds, and read again at once after a change in this process', async () => {
    const elsewhere = open(masterKey);
    await secrets.create(orders);
    expect(await elsewhere.signingKeys(orders)).toHaveLength(1);
    expect(await secrets.signingKeys(orders)).toHaveLength(1);
    await secrets.rotate(orders);
    expect(await secrets.signingKeys(orders)).toHaveLength(2);
    clock.ms += 4_999;
    expect(await elsewhere.signingKeys(orders)).toHaveLength(1);
    expect(elsewhere.peekSigningKeys(orders)).toHaveLength(1);
    clock.ms += 1;
    expect(elsewhere.peekSigningKeys(orders)).toBeUndefined();
    expect(await elsewhere.signingKeys(orders)).toHaveLength(2);
  });

  it('exist for intake as soon as they are created', async () => {
    expect(await secrets.exists(orders)).toBe(false);
    await open(masterKey).create(orders);
    expect(await secrets.exists(orders)).toBe(true);
    await secrets.remove(orders);
    expect(await secrets.exists(orders)).toBe(false);
    await expect(secrets.signingKeys(orders)).rejects.toEqual(withCode('SECRET_NOT_FOUND'));
  });

  it('sealed with another master key cannot be read, unless that is given as an old key', async () => {
    const { secret } = await secrets.create(orders);
    const newKey = randomBytes(32);
    const error = await open(newKey)
      .signingKeys(orders)
      .catch((e: unknown) => e);
    expect(error).toEqual(withCode('SECRET_UNREADABLE'));
    expect(String(error)).not.toContain(secret.slice('whsec_'.length));
    expect(await open(newKey, [masterKey]).signingKeys(orders)).toHaveLength(1);
  });

  it('cannot be read in the row of another secret', async () => {
    await secrets.create(orders);
    await secrets.create({ application: 'shop', name: 'other' });
    await store.db.query(`update callbacks.secret s set sealed = o.sealed
      from callbacks.secret o where s.name = 'orders' and o.name = 'other'`);
    await expect(secrets.signingKeys(orders)).rejects.toEqual(withCode('SECRET_UNREADABLE'));
  });

  it('are listed page by page without their texts and without those of endpoints', async () => {
    for (const name of ['c', 'a', 'b']) await secrets.create({ application: 'shop', name });
    await secrets.rotate({ application: 'shop', name: 'b' });
    await secrets.create({ application: 'bank', name: 'z' });
    await secrets.createForEndpoint(store.db, { application: 'shop', id: 'e1' }, {});
    const first = await secrets.list({ within: 'all' }, { limit: 3 });
    expect(first.items.map(({ name, versions }) => `${name}${versions.length}`)).toEqual([
      'z1',
      'a1',
      'b2',
    ]);
    const second = await secrets.list({ within: 'all' }, { limit: 3, cursor: first.next });
    expect(second.items.map(({ name }) => name)).toEqual(['c']);
    expect(second.next).toBeUndefined();
    const shop = await secrets.list({ within: 'all', application: 'shop' });
    expect(shop.items.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(JSON.stringify([first, second, shop])).not.toContain('whsec_');
  });

  it('are refused when their names, texts or options are invalid', async () => {
    await secrets.create(orders);
    await expect(secrets.create(orders)).rejects.toEqual(withCode('SECRET_EXISTS'));
    const wrong = { ...orders, name: 'wrong', secret: 'whsec_short' };
    await expect(secrets.create(wrong)).rejects.toEqual(withCode('SECRET_INVALID'));
    for (const name of ['', 'endpoint:x', 'a\nb', 'x'.repeat(257)]) {
      const refused = secrets.create({ application: 'shop', name });
      await expect(refused).rejects.toEqual(withCode('REQUEST_INVALID'));
    }
    for (const graceMs of [-1, Number.NaN, 31 * 24 * 3_600_000]) {
      const refused = secrets.rotate({ ...orders, graceMs });
      await expect(refused).rejects.toEqual(withCode('REQUEST_INVALID'));
    }
    const refused = secrets.list({ within: 'all', application: '\0' });
    await expect(refused).rejects.toEqual(withCode('REQUEST_INVALID'));
  });

  it('are not found by an unknown or an invalid name', async () => {
    await secrets.create(orders);
    for (const name of ['nothing', 'orders\n', 'orders\0', 'x'.repeat(1_000)]) {
      const key = { application: 'shop', name };
      const notFound = withCode('SECRET_NOT_FOUND');
      await expect(secrets.rotate(key)).rejects.toEqual(notFound);
      await expect(secrets.get(key)).rejects.toEqual(notFound);
      await expect(secrets.signingKeys(key)).rejects.toEqual(notFound);
      expect(await secrets.exists(key)).toBe(false);
    }
    const nothing = { application: 'shop', name: 'nothing' };
    await expect(secrets.remove(nothing)).rejects.toEqual(withCode('SECRET_NOT_FOUND'));
  });
});

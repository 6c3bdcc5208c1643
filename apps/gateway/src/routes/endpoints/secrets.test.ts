import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

describeWithPostgres('/v1/secrets', () => {
  let gateway: TestCallbacks;
  const create = (body: object) => gateway.call('POST', '/v1/secrets', body);

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('creates a secret, and shows it only then', async () => {
    expect(await create({ application: 'a', name: 'orders' })).toMatchObject({
      status: 201,
      json: {
        application: 'a',
        name: 'orders',
        latest: {
          version: 1,
          kind: 'hmac',
          secret: expect.stringMatching(/^whsec_/),
          publicKey: null,
        },
      },
    });
    const view = await gateway.call('GET', '/v1/secrets/orders?application=a');
    expect(view.json).toEqual({
      application: 'a',
      name: 'orders',
      versions: [
        {
          version: 1,
          kind: 'hmac',
          publicKey: null,
          createdAt: expect.any(String),
          expiresAt: null,
        },
      ],
    });
    expect(await create({ application: 'a', name: 'orders' })).toMatchObject({
      status: 409,
      json: { code: 'SECRET_EXISTS' },
    });
  });

  it('accepts a given secret, and generates ed25519 ones', async () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    expect((await create({ name: 'own', secret })).json).toMatchObject({ latest: { secret } });
    expect((await create({ name: 'ed', kind: 'ed25519' })).json).toMatchObject({
      latest: {
        secret: expect.stringMatching(/^whsk_/),
        publicKey: expect.stringMatching(/^whpk_/),
      },
    });
    const weak = await create({ name: 'weak', secret: 'whsec_AAAA' });
    expect(weak).toMatchObject({ status: 422, json: { code: 'SECRET_INVALID' } });
    expect(weak.body).not.toContain('AAAA');
  });

  it('rotates a secret: earlier versions sign until the grace time is over', async () => {
    await create({ application: 'r', name: 'rotated' });
    const path = '/v1/secrets/rotated/rotate?application=r';
    expect(await gateway.call('POST', path, { graceMs: 3_600_000 })).toMatchObject({
      status: 201,
      json: { latest: { version: 2 } },
    });
    const view = () => gateway.call('GET', '/v1/secrets/rotated?application=r');
    expect((await view()).json).toMatchObject({
      versions: [
        { version: 2, expiresAt: null },
        { version: 1, expiresAt: expect.any(String) },
      ],
    });
    await gateway.call('POST', path);
    await gateway.call('POST', path, { graceMs: 0 });
    expect((await view()).json).toMatchObject({ versions: [{ version: 4 }] });
    expect((await gateway.call('POST', path, { graceMs: -1 })).status).toBe(422);
  });

  it('lists secrets by application and name, and removes them', async () => {
    for (const name of ['b', 'a']) await create({ application: 'listed', name });
    const path = '/v1/secrets?application=listed';
    const first = await gateway.call<{ next: string }>('GET', `${path}&limit=1`);
    expect(first.json).toMatchObject({ items: [{ name: 'a' }] });
    expect((await gateway.call('GET', `${path}&cursor=${first.json.next}`)).json).toMatchObject({
      items: [{ name: 'b' }],
      next: null,
    });
    expect((await gateway.call('DELETE', '/v1/secrets/a?application=listed')).status).toBe(204);
    const missing = { status: 404, json: { code: 'SECRET_NOT_FOUND' } };
    for (const [method, url] of [
      ['DELETE', '/v1/secrets/a?application=listed'],
      ['GET', '/v1/secrets/a?application=listed'],
      ['GET', '/v1/secrets/b'],
      ['POST', '/v1/secrets/b/rotate'],
    ] as const) {
      expect(await gateway.call(method, url), url).toMatchObject(missing);
    }
  });

  it.each([
    [{}],
    [{ name: '' }],
    [{ name: 'a/b' }],
    [{ name: 'endpoint:x' }],
    [{ name: 'a', size: 1 }],
  ])('refuses %j', async (body) => {
    expect(await create(body)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
  });
});

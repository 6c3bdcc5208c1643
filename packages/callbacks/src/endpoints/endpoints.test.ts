import { randomBytes } from 'node:crypto';
import { newId, PlatformError } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { Policies } from '../retry/policies.js';
import { toRetryPolicy } from '../retry/policy-input.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { findEventTarget } from '../subscriptions/subscription-list.js';
import type { EndpointInput } from './endpoint-input.js';
import { pauseEndpoint } from './endpoint-state.js';
import { Endpoints } from './endpoints.js';

const rules = {
  defaultTimeoutMs: 15_000,
  maxTimeoutMs: 30_000,
  urlFault: (url: URL) => (url.hostname === 'localhost' ? 'is inside the network' : undefined),
};
const withCode = (code: string): unknown => expect.objectContaining({ code });
const hook = { application: 'shop', name: 'hook', url: 'https://example.com/hook' };
const slow = { phases: [{ retries: 2, delayMs: 60_000 }] };

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useSharedStore(engine);
  let secrets: Secrets;
  let endpoints: Endpoints;
  let policies: Policies;
  beforeAll(async () => {
    secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    endpoints = new Endpoints({ db: store.db, secrets, rules });
    policies = new Policies(store.db);
  });
  beforeEach(async () => {
    await store.db.query(
      'truncate callbacks.secret, callbacks.policy, callbacks.application_policy cascade',
    );
    await store.db.query('delete from callbacks.endpoint');
  });

  it('are created with defaults and a secret, which is shown once', async () => {
    const { endpoint, secret } = await endpoints.create(hook);
    expect(endpoint).toEqual({
      ...hook,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      headers: {},
      policy: {
        exponential: {
          initialDelayMs: 5_000,
          factor: 3,
          maxDelayMs: 14_400_000,
          maxRetries: 10,
          jitter: 0.2,
        },
      },
      timeoutMs: 15_000,
      ratePerSecond: undefined,
      maxConcurrency: undefined,
      order: 'none',
      eventFormat: 'envelope',
      notificationEmail: undefined,
      state: 'active',
      stateReason: undefined,
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
      version: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(Math.abs(endpoint.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(secret).toMatchObject({ name: `endpoint:${endpoint.id}`, kind: 'hmac' });
    expect(await secrets.signingKeys(secret)).toHaveLength(1);
    expect(await endpoints.get(endpoint.id.replaceAll('-', ''), 'all')).toEqual(endpoint);
  });

  it('accept every setting', async () => {
    const text = `whsec_${randomBytes(32).toString('base64')}`;
    const settings = {
      headers: { 'X-Token': 'größer' },
      policy: slow,
      timeoutMs: 1_000,
      ratePerSecond: 0.5,
      maxConcurrency: 3,
      order: '/order/id' as const,
      eventFormat: 'cloudevents-structured' as const,
      notificationEmail: 'ops@example.com',
    };
    const { endpoint, secret } = await endpoints.create({ ...hook, ...settings }, { secret: text });
    expect(endpoint).toMatchObject({ ...settings, headers: { 'x-token': 'größer' } });
    expect(secret.secret).toBe(text);
  });

  it('are changed in part, and reset with null', async () => {
    const { endpoint } = await endpoints.create({ ...hook, ratePerSecond: 5, policy: slow });
    const changed = await endpoints.update(
      endpoint.id,
      { name: 'new', order: 'key' },
      { within: 'all' },
    );
    expect(changed.version).not.toBe(endpoint.version);
    expect(changed).toEqual({
      ...endpoint,
      version: changed.version,
      name: 'new',
      order: 'key',
      updatedAt: changed.updatedAt,
    });
    expect(changed.updatedAt.getTime()).toBeGreaterThanOrEqual(endpoint.updatedAt.getTime());
    const back = await endpoints.update(
      endpoint.id,
      { ratePerSecond: null, policy: null },
      { within: 'all' },
    );
    expect(back).toMatchObject({ ratePerSecond: undefined, policy: { exponential: {} } });
    expect(back.name).toBe('new');
    await endpoints.update(endpoint.id, { eventFormat: 'cloudevents-binary' }, { within: 'all' });
    const kept = await endpoints.update(endpoint.id, { name: 'newer' }, { within: 'all' });
    expect(kept.eventFormat).toBe('cloudevents-binary');
    const reset = await endpoints.update(endpoint.id, { eventFormat: null }, { within: 'all' });
    expect(reset.eventFormat).toBe('envelope');
  });

  it('can name a stored policy, which then cannot be removed', async () => {
    await policies.put({ application: undefined, name: 'slow' }, slow);
    const { endpoint } = await endpoints.create({ ...hook, policy: 'slow' });
    expect(endpoint.policy).toBe('slow');
    await expect(policies.remove({ application: undefined, name: 'slow' })).rejects.toEqual(
      withCode('POLICY_IN_USE'),
    );
    const unknown = { policy: 'unknown' };
    await expect(endpoints.update(endpoint.id, unknown, { within: 'all' })).rejects.toEqual(
      withCode('POLICY_NOT_FOUND'),
    );
    await expect(endpoints.create({ ...hook, name: 'b', ...unknown })).rejects.toEqual(
      withCode('POLICY_NOT_FOUND'),
    );
    await endpoints.update(endpoint.id, { policy: slow }, { within: 'all' });
    await policies.remove({ application: undefined, name: 'slow' });
    expect((await endpoints.get(endpoint.id, 'all')).policy).toEqual(slow);
  });

  it('name a policy of their application before a shared one, and keep the one they named', async () => {
    const fast = { phases: [{ retries: 9, delayMs: 1 }] };
    const shared = { application: undefined, name: 'p' };
    const own = { application: 'shop', name: 'p' };
    await policies.put(shared, slow);
    const { endpoint: before } = await endpoints.create({ ...hook, name: 'before', policy: 'p' });
    await policies.put(own, fast);
    const { endpoint } = await endpoints.create({ ...hook, policy: 'p' });
    const other = await endpoints.create({ ...hook, application: 'bank', policy: 'p' });
    const policyOf = async (id: string) => (await findEventTarget(store.db, id, 'all'))?.policy;
    expect(endpoint.policy).toBe('p');
    expect(await policyOf(endpoint.id)).toEqual(toRetryPolicy(fast));
    for (const id of [before.id, other.endpoint.id]) {
      expect(await policyOf(id)).toEqual(toRetryPolicy(slow));
    }
    await expect(policies.remove(own)).rejects.toEqual(withCode('POLICY_IN_USE'));
    await policies.put(own, slow);
    expect(await policyOf(endpoint.id)).toEqual(toRetryPolicy(slow));
    // Other changes, and the same name once more, leave it.
    for (const patch of [{ name: 'new' }, { policy: 'p' }]) {
      const changed = await endpoints.update(endpoint.id, patch, { within: 'all' });
      expect(changed.policy).toBe('p');
      await expect(policies.remove(own)).rejects.toEqual(withCode('POLICY_IN_USE'));
    }
    await endpoints.update(before.id, { policy: 'p' }, { within: 'all' });
    await endpoints.update(endpoint.id, { policy: fast }, { within: 'all' });
    expect(await policyOf(endpoint.id)).toEqual(toRetryPolicy(fast));
    await expect(policies.remove(own)).rejects.toEqual(withCode('POLICY_IN_USE'));
    await endpoints.remove(before.id, 'all');
    await policies.remove(own);
    const unknown = endpoints.create({ ...hook, name: 'unknown', policy: 'q' });
    await expect(unknown).rejects.toEqual(withCode('POLICY_NOT_FOUND'));
  });

  it('change only if nobody has changed them since, where that is asked for', async () => {
    const { endpoint } = await endpoints.create(hook);
    const change = (name: string, ifMatch?: string[]) =>
      endpoints.update(endpoint.id, { name }, { within: ['shop'], ifMatch });
    const both = await Promise.allSettled([
      change('a', [endpoint.version]),
      change('b', ['x', endpoint.version]),
    ]);
    const made = both.filter((each) => each.status === 'fulfilled');
    const refused = both.filter((each) => each.status === 'rejected');
    expect([made.length, refused.length]).toEqual([1, 1]);
    const version = made[0]?.value.version;
    expect(refused[0]?.reason).toEqual(
      expect.objectContaining({ code: 'PRECONDITION_FAILED', details: { version } }),
    );
    await expect(change('c', [])).rejects.toEqual(withCode('PRECONDITION_FAILED'));
    await pauseEndpoint(store.db, endpoint.id, { within: 'all' });
    await expect(change('c', [version ?? ''])).rejects.toEqual(withCode('PRECONDITION_FAILED'));
    expect(await change('c')).toMatchObject({ name: 'c' });
  });

  it('are listed newest first, page by page', async () => {
    for (const name of ['a', 'b', 'c']) await endpoints.create({ ...hook, name });
    await endpoints.create({ ...hook, application: 'bank' });
    const first = await endpoints.list({ within: 'all', application: 'shop' }, { limit: 2 });
    expect(first.items.map(({ name }) => name)).toEqual(['c', 'b']);
    const second = await endpoints.list(
      { within: 'all', application: 'shop' },
      { limit: 2, cursor: first.next },
    );
    expect(second.items.map(({ name }) => name)).toEqual(['a']);
    expect(second.next).toBeUndefined();
    expect((await endpoints.list({ within: 'all', state: 'disabled' })).items).toEqual([]);
    expect((await endpoints.list({ within: 'all' })).items).toHaveLength(4);
  });

  it('are removed with their secret', async () => {
    const { endpoint, secret } = await endpoints.create(hook);
    await endpoints.remove(endpoint.id, 'all');
    await expect(endpoints.get(endpoint.id, 'all')).rejects.toEqual(withCode('ENDPOINT_NOT_FOUND'));
    expect(await secrets.exists(secret)).toBe(false);
    await endpoints.create(hook);
  });

  it('have a name that is unique in their application', async () => {
    const { endpoint } = await endpoints.create(hook);
    await expect(endpoints.create(hook)).rejects.toEqual(withCode('ENDPOINT_EXISTS'));
    const other = await endpoints.create({ ...hook, name: 'other' });
    const taken = endpoints.update(other.endpoint.id, { name: endpoint.name }, { within: 'all' });
    await expect(taken).rejects.toEqual(withCode('ENDPOINT_EXISTS'));
    expect(await secrets.exists({ application: 'shop', name: `endpoint:${newId()}` })).toBe(false);
  });

  it('are not found by an unknown id, or by text that is not an id', async () => {
    for (const id of [newId(), 'x', '']) {
      const notFound = withCode('ENDPOINT_NOT_FOUND');
      await expect(endpoints.get(id, 'all')).rejects.toEqual(notFound);
      await expect(endpoints.update(id, {}, { within: 'all' })).rejects.toEqual(notFound);
      await expect(endpoints.remove(id, 'all')).rejects.toEqual(notFound);
    }
  });

  it.each<[string, Partial<EndpointInput>]>([
    ['url', { url: '' }],
    ['url', { url: 'ftp://example.com/' }],
    ['url', { url: 'http://localhost/' }],
    ['name', { name: '' }],
    ['name', { name: 'a\nb' }],
    ['headers.host', { headers: { host: 'example.com' } }],
    ['headers.x', { headers: { x: 'a\r\nb: c' } }],
    ['headers.webhook-signature', { headers: { 'webhook-signature': 'v1,x' } }],
    ['timeoutMs', { timeoutMs: 30_001 }],
    ['ratePerSecond', { ratePerSecond: 0 }],
    ['maxConcurrency', { maxConcurrency: 1.5 }],
    ['notificationEmail', { notificationEmail: 'nobody' }],
    ['order', { order: '/~' }],
    ['eventFormat', { eventFormat: 'cloudevents' as 'envelope' }],
    ['policy', { policy: 'a\0' }],
    ['policy.factor', { policy: { exponential: { factor: 0 } } }],
  ])('are refused for a wrong %s', async (field, wrong) => {
    const refused: unknown = await endpoints.create({ ...hook, ...wrong }).catch((e) => e);
    expect(refused).toBeInstanceOf(PlatformError);
    expect(refused).toEqual(withCode('REQUEST_INVALID'));
    expect((refused as PlatformError).details).toEqual([expect.objectContaining({ field })]);
  });
}

describeWithPostgres('endpoints', () => suite('postgres'));
describe('endpoints in the embedded database', () => suite('embedded'));

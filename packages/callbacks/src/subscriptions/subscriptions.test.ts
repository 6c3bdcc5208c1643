import { randomBytes } from 'node:crypto';
import { newId, parseJsonWithDigits } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { Endpoints } from '../endpoints/endpoints.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import type { SubscriptionFields } from './subscription.js';
import { Subscriptions } from './subscriptions.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const withCode = (code: string): unknown => expect.objectContaining({ code });

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useSharedStore(engine);
  let endpoints: Endpoints;
  let subscriptions: Subscriptions;
  let endpointId: string;
  beforeAll(async () => {
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    endpoints = new Endpoints({ db: store.db, secrets, rules });
    subscriptions = new Subscriptions(store.db);
  });
  beforeEach(async () => {
    await store.db.query('delete from callbacks.endpoint');
    const created = await endpoints.create({
      application: '',
      name: 'hook',
      url: 'https://example.com/',
    });
    endpointId = created.endpoint.id;
  });

  it('are created, read, replaced and removed', async () => {
    const filter = { required: ['id'] };
    const made = await subscriptions.create(
      {
        endpointId,
        eventName: 'order.*',
        namespace: 'shop',
        filter,
      },
      'all',
    );
    expect(made).toMatchObject({ endpointId, eventName: 'order.*', namespace: 'shop', filter });
    expect(await subscriptions.get(made.id, 'all')).toEqual(made);
    const replaced = await subscriptions.update(made.id, { eventName: '**' }, { within: 'all' });
    expect(replaced.version).not.toBe(made.version);
    expect(replaced).toEqual({
      ...made,
      version: replaced.version,
      eventName: '**',
      namespace: undefined,
      filter: undefined,
    });
    await subscriptions.remove(made.id, 'all');
    const notFound = withCode('SUBSCRIPTION_NOT_FOUND');
    for (const id of [made.id, newId(), 'x']) {
      await expect(subscriptions.get(id, 'all')).rejects.toEqual(notFound);
      await expect(subscriptions.remove(id, 'all')).rejects.toEqual(notFound);
      await expect(
        subscriptions.update(id, { eventName: '**' }, { within: 'all' }),
      ).rejects.toEqual(notFound);
    }
  });

  it('change only if nobody has changed them since, where that is asked for', async () => {
    const made = await subscriptions.create({ endpointId, eventName: 'a' }, 'all');
    const change = (eventName: string, ifMatch?: string[]) =>
      subscriptions.update(made.id, { eventName }, { within: 'all', ifMatch });
    const changed = await change('b', [made.version]);
    await expect(change('c', [made.version])).rejects.toEqual(
      expect.objectContaining({
        code: 'PRECONDITION_FAILED',
        details: { version: changed.version },
      }),
    );
    expect(await subscriptions.get(made.id, 'all')).toEqual(changed);
    expect(await change('c')).toMatchObject({ eventName: 'c' });
    // The same conditions again are the same version.
    expect((await change('a')).version).toBe(made.version);
  });

  it('keep every digit of the numbers of a filter', async () => {
    const text = '{"properties":{"n":{"const":9007199254740993,"minimum":1.50}}}';
    const filter = parseJsonWithDigits(text) as Record<string, unknown>;
    const made = await subscriptions.create({ endpointId, eventName: '**', filter }, 'all');
    const replaced = await subscriptions.update(
      made.id,
      { eventName: '**', filter },
      { within: 'all' },
    );
    const found = [made, replaced, await subscriptions.get(made.id, 'all')];
    found.push(...(await subscriptions.list({ within: 'all' })).items);
    expect(found.map((subscription) => JSON.stringify(subscription.filter))).toEqual(
      Array.from({ length: 4 }, () => text),
    );
    const bigints = { properties: { n: { const: 2n ** 64n } } };
    const other = await subscriptions.create(
      { endpointId, eventName: '**', filter: bigints },
      'all',
    );
    expect(JSON.stringify(other.filter)).toBe(
      '{"properties":{"n":{"const":18446744073709551616}}}',
    );
  });

  it('are listed newest first, page by page', async () => {
    const other = await endpoints.create({
      application: '',
      name: 'other',
      url: 'https://example.com/',
    });
    await subscriptions.create({ endpointId: other.endpoint.id, eventName: 'z' }, 'all');
    for (const eventName of ['a', 'b', 'c'])
      await subscriptions.create({ endpointId, eventName }, 'all');
    const first = await subscriptions.list({ within: 'all', endpointId }, { limit: 2 });
    expect(first.items.map(({ eventName }) => eventName)).toEqual(['c', 'b']);
    const second = await subscriptions.list(
      { within: 'all', endpointId },
      { limit: 2, cursor: first.next },
    );
    expect(second.items.map(({ eventName }) => eventName)).toEqual(['a']);
    expect(second.next).toBeUndefined();
    expect((await subscriptions.list({ within: 'all' })).items).toHaveLength(4);
  });

  it('are removed with their endpoint', async () => {
    const { id } = await subscriptions.create({ endpointId, eventName: 'a' }, 'all');
    await endpoints.remove(endpointId, 'all');
    await expect(subscriptions.get(id, 'all')).rejects.toEqual(withCode('SUBSCRIPTION_NOT_FOUND'));
    for (const unknown of [endpointId, 'x']) {
      const refused = subscriptions.create({ endpointId: unknown, eventName: 'a' }, 'all');
      await expect(refused).rejects.toEqual(withCode('ENDPOINT_NOT_FOUND'));
    }
  });

  it.each<[string, SubscriptionFields]>([
    ['eventName', { eventName: '' }],
    ['eventName', { eventName: 'order.cre*' }],
    ['namespace', { eventName: '**', namespace: 'a\nb' }],
    ['filter', { eventName: '**', filter: { properties: { a: { pattern: '(a+)+$' } } } }],
    ['filter', { eventName: '**', filter: { type: 'text' } }],
  ])('are refused for a wrong %s', async (field, wrong) => {
    const details = [expect.objectContaining({ field })];
    const refused = expect.objectContaining({ code: 'REQUEST_INVALID', details });
    await expect(subscriptions.create({ endpointId, ...wrong }, 'all')).rejects.toEqual(refused);
  });
}

describeWithPostgres('subscriptions', () => suite('postgres'));
describe('subscriptions in the embedded database', () => suite('embedded'));

import { randomBytes } from 'node:crypto';
import type { Applications } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectHidden, readAll } from '../../test/applications.js';
import { useSharedStore } from '../../test/test-store.js';
import { noEvents } from '../events/callback-events.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { EventFanout } from '../subscriptions/event-fanout.js';
import type { Subscription } from '../subscriptions/subscription.js';
import { Subscriptions } from '../subscriptions/subscriptions.js';
import {
  disableEndpointAndEmit,
  enableEndpoint,
  pauseEndpoint,
  resumeEndpoint,
} from './endpoint-state.js';
import { Endpoints } from './endpoints.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const url = 'https://example.com/';
const shop: Applications = ['shop'];

/** Every test has the same things in several applications, and looks at them as `shop`. */
function suite(engine: 'postgres' | 'embedded'): void {
  const store = useSharedStore(engine);
  let secrets: Secrets;
  let endpoints: Endpoints;
  let subscriptions: Subscriptions;
  beforeAll(() => {
    secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    endpoints = new Endpoints({ db: store.db, secrets, rules });
    subscriptions = new Subscriptions(store.db);
  });
  beforeEach(async () => {
    await store.db.query('truncate callbacks.endpoint, callbacks.secret cascade');
  });

  it('endpoints of another application are not found and not changed', async () => {
    const made = [];
    for (const application of ['shop', 'bank', 'farm']) {
      for (const name of ['a', 'b', 'c']) {
        const { endpoint } = await endpoints.create({ application, name, url });
        made.unshift(endpoint);
      }
    }
    const list = async (filter: Parameters<Endpoints['list']>[0]) =>
      (await readAll((page) => endpoints.list(filter, page))).items;
    const own = made.filter(({ application }) => application !== 'bank');
    expect(await list({ within: ['shop', 'farm'] })).toEqual(own);
    expect(await list({ within: [] })).toEqual([]);
    expect(await list({ within: ['shop', 'farm'], application: 'bank' })).toEqual([]);
    expect(await list({ within: ['shop', 'farm'], state: 'paused' })).toEqual([]);
    expect(await list({ within: 'all' })).toEqual(made);
    const other = made.find(({ application }) => application === 'bank');
    const fanout = new EventFanout({ db: store.db });
    const actions: ((id: string) => Promise<unknown>)[] = [
      (id) => endpoints.get(id, shop),
      (id) => endpoints.update(id, { name: 'x' }, { within: shop, ifMatch: ['x'] }),
      (id) => endpoints.remove(id, shop),
      (id) => pauseEndpoint(store.db, id, { within: shop }),
      (id) => resumeEndpoint(store.db, id, { within: shop }),
      (id) => enableEndpoint(store.db, id, { within: shop }),
      (id) => fanout.testEvent(id, { within: shop }),
      (id) => subscriptions.create({ endpointId: id, eventName: '**' }, shop),
    ];
    for (const act of actions) await expectHidden(other?.id ?? '', act, 'ENDPOINT_NOT_FOUND');
    const disabling = { within: shop, reason: 'x', events: noEvents };
    expect(await disableEndpointAndEmit(store.db, other?.id ?? '', disabling)).toBeUndefined();
    expect(await endpoints.get(other?.id ?? '', 'all')).toEqual(other);
    await endpoints.create({ application: 'bank', name: 'only here', url });
    await endpoints.create({ application: 'shop', name: 'only here', url });
  });

  it('subscriptions belong to the application of their endpoint', async () => {
    const made: (Subscription & { application: string })[] = [];
    const ids = new Map<string, string>();
    for (const application of ['shop', 'bank', 'farm']) {
      for (const name of ['a', 'b']) {
        const { endpoint } = await endpoints.create({ application, name, url });
        ids.set(application, endpoint.id);
        for (const eventName of ['x.a', 'x.b']) {
          const input = { endpointId: endpoint.id, eventName };
          made.unshift({ application, ...(await subscriptions.create(input, 'all')) });
        }
      }
    }
    const list = async (filter: Parameters<Subscriptions['list']>[0]) =>
      (await readAll((page) => subscriptions.list(filter, page))).items;
    const of = (...applications: string[]) =>
      made
        .filter(({ application }) => applications.includes(application))
        .map(({ application: _, ...subscription }) => subscription);
    expect(await list({ within: ['shop', 'farm'] })).toEqual(of('shop', 'farm'));
    expect(await list({ within: [] })).toEqual([]);
    expect(await list({ within: 'all' })).toEqual(of('shop', 'bank', 'farm'));
    expect(await list({ within: shop, endpointId: ids.get('bank') })).toEqual([]);
    expect(await list({ within: shop, endpointId: ids.get('shop') })).toHaveLength(2);
    const [other] = of('bank');
    const actions: ((id: string) => Promise<unknown>)[] = [
      (id) => subscriptions.get(id, shop),
      (id) => subscriptions.update(id, { eventName: '**' }, { within: shop, ifMatch: ['x'] }),
      (id) => subscriptions.remove(id, shop),
    ];
    for (const act of actions) await expectHidden(other?.id ?? '', act, 'SUBSCRIPTION_NOT_FOUND');
    expect(await subscriptions.get(other?.id ?? '', ['bank'])).toEqual(other);
  });

  it('secrets are listed for the applications, each with its own', async () => {
    for (const application of ['shop', 'bank', '']) {
      for (const name of ['a', 'b', 'c']) await secrets.create({ application, name });
      await secrets.rotate({ application, name: 'b' });
      await endpoints.create({ application, name: 'hook', url });
    }
    const list = async (filter: Parameters<Secrets['list']>[0]) =>
      (await readAll((page) => secrets.list(filter, page))).items;
    const all = await list({ within: 'all' });
    expect(all).toHaveLength(9);
    const own = all.filter((item) => (item as { application: string }).application !== 'bank');
    expect(await list({ within: ['shop', '', 'shop'] })).toEqual(own);
    expect(await list({ within: [] })).toEqual([]);
    expect(await list({ within: shop, application: 'bank' })).toEqual([]);
    expect(own[1]).toMatchObject({ name: 'b', versions: [{ version: 2 }, { version: 1 }] });
  });
}

describeWithPostgres('endpoints of applications', () => suite('postgres'));
describe('endpoints of applications in the embedded database', () => suite('embedded'));

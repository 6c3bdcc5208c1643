import { randomBytes } from 'node:crypto';
import { callbackEventNames } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { Endpoints } from '../endpoints/endpoints.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { Subscriptions } from './subscriptions.js';
import { WantedEvents, type WantedEventsOptions } from './wanted-events.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const alwaysWanted = ['callback.failed', 'endpoint.disabled'];

describeWithPostgres('the wanted events about callbacks', () => {
  const store = useSharedStore();
  let subscriptions: Subscriptions;
  let endpointId: string;
  let wantedEvents: WantedEvents | undefined;
  beforeAll(async () => {
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    const endpoints = new Endpoints({ db: store.db, secrets, rules });
    const { endpoint } = await endpoints.create({
      application: '',
      name: 'a',
      url: 'https://example.com/',
    });
    endpointId = endpoint.id;
    subscriptions = new Subscriptions(store.db);
  });
  beforeEach(() => store.db.query('delete from callbacks.subscription'));
  afterEach(() => wantedEvents?.close());

  const start = async (options: Partial<WantedEventsOptions> = {}): Promise<void> => {
    const onError = (error: unknown): never => {
      throw error;
    };
    wantedEvents = new WantedEvents({
      db: store.db,
      always: [],
      refreshMs: 20,
      onError,
      ...options,
    });
    await wantedEvents.start();
  };
  const wanted = (): string[] => callbackEventNames.filter((name) => wantedEvents?.wants(name));

  it('are at least failures and disabled endpoints, from the start', async () => {
    await start();
    expect(wanted()).toEqual(alwaysWanted);
  });

  it('are those of the configuration too', async () => {
    await start({ always: ['callback.accepted'] });
    expect(wanted()).toEqual(['callback.accepted', ...alwaysWanted]);
  });

  it('are all when the configuration says so', async () => {
    await start({ always: ['all'] });
    expect(wanted()).toEqual(callbackEventNames);
  });

  it.each([
    ['callback.delivered', ['callback.delivered', ...alwaysWanted]],
    ['callback.*', callbackEventNames],
    ['callback.**', callbackEventNames],
    ['**', alwaysWanted],
    ['*.delivered', alwaysWanted],
    ['order.created', alwaysWanted],
  ])('follow subscriptions to %s', async (eventName, expected) => {
    await start();
    const { id } = await subscriptions.create({ endpointId, eventName }, 'all');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await vi.waitFor(() => expect(wanted()).toEqual(expected));
    await subscriptions.remove(id, 'all');
    await vi.waitFor(() => expect(wanted()).toEqual(alwaysWanted));
  });

  it('stay the same while the database cannot be reached, which is reported once', async () => {
    const errors: unknown[] = [];
    let isAway = false;
    const db = Object.assign(Object.create(store.db) as typeof store.db, {
      query: (...args: Parameters<typeof store.db.query>) =>
        isAway ? Promise.reject(new Error('away')) : store.db.query(...args),
    });
    await subscriptions.create({ endpointId, eventName: 'callback.accepted' }, 'all');
    await start({ db, onError: (error) => errors.push(error) });
    expect(wantedEvents?.wants('callback.accepted')).toBe(true);
    isAway = true;
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(errors).toHaveLength(1);
    expect(wantedEvents?.wants('callback.accepted')).toBe(true);
    isAway = false;
    await subscriptions.create({ endpointId, eventName: 'callback.attempted' }, 'all');
    await vi.waitFor(() => expect(wantedEvents?.wants('callback.attempted')).toBe(true));
  });

  it('are read later when the database cannot be reached at the start, which rejects', async () => {
    let isAway = true;
    const db = Object.assign(Object.create(store.db) as typeof store.db, {
      query: (...args: Parameters<typeof store.db.query>) =>
        isAway ? Promise.reject(new Error('away')) : store.db.query(...args),
    });
    await subscriptions.create({ endpointId, eventName: 'callback.accepted' }, 'all');
    await expect(start({ db, onError: () => undefined })).rejects.toThrow('away');
    expect(wanted()).toEqual(alwaysWanted);
    isAway = false;
    await vi.waitFor(() => expect(wantedEvents?.wants('callback.accepted')).toBe(true));
  });
});

import { randomBytes } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { Endpoints } from '../endpoints/endpoints.js';
import { callbackEventNames } from '../events/callback-events.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { EventInterest, type EventInterestOptions } from './event-interest.js';
import { Subscriptions } from './subscriptions.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const essential = ['callback.failed', 'endpoint.disabled'];

describeWithPostgres('what is wanted of the events about callbacks', () => {
  const store = useSharedStore();
  let subscriptions: Subscriptions;
  let endpointId: string;
  let interest: EventInterest | undefined;
  beforeAll(async () => {
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    const endpoints = new Endpoints({ db: store.db, secrets, rules });
    const { endpoint } = await endpoints.create({ name: 'a', url: 'https://example.com/' });
    endpointId = endpoint.id;
    subscriptions = new Subscriptions(store.db);
  });
  beforeEach(() => store.db.query('delete from callbacks.subscription'));
  afterEach(() => interest?.close());

  const start = async (options: Partial<EventInterestOptions> = {}): Promise<void> => {
    const onError = (error: unknown): never => {
      throw error;
    };
    interest = new EventInterest({ db: store.db, always: [], refreshMs: 20, onError, ...options });
    await interest.start();
  };
  const wanted = (): string[] => callbackEventNames.filter((name) => interest?.wants(name));

  it('is failures and disabled endpoints at least, from the first moment', async () => {
    await start();
    expect(wanted()).toEqual(essential);
  });

  it('is what the configuration asks for', async () => {
    await start({ always: ['callback.accepted'] });
    expect(wanted()).toEqual(['callback.accepted', ...essential]);
  });

  it('is everything where the configuration asks for all', async () => {
    await start({ always: ['all'] });
    expect(wanted()).toEqual(callbackEventNames);
  });

  it.each([
    ['callback.delivered', ['callback.delivered', ...essential]],
    ['callback.*', callbackEventNames],
    ['callback.**', callbackEventNames],
    ['**', essential],
    ['*.delivered', essential],
    ['order.created', essential],
  ])('follows subscriptions to %s', async (eventName, expected) => {
    await start();
    const { id } = await subscriptions.create({ endpointId, eventName });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await vi.waitFor(() => expect(wanted()).toEqual(expected));
    await subscriptions.remove(id);
    await vi.waitFor(() => expect(wanted()).toEqual(essential));
  });

  it('stays what it was while the database is away, and says so', async () => {
    const errors: unknown[] = [];
    let isAway = false;
    const db = Object.assign(Object.create(store.db) as typeof store.db, {
      query: (...args: Parameters<typeof store.db.query>) =>
        isAway ? Promise.reject(new Error('away')) : store.db.query(...args),
    });
    await subscriptions.create({ endpointId, eventName: 'callback.accepted' });
    await start({ db, onError: (error) => errors.push(error) });
    expect(interest?.wants('callback.accepted')).toBe(true);
    isAway = true;
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(errors).toHaveLength(1);
    expect(interest?.wants('callback.accepted')).toBe(true);
    isAway = false;
    await subscriptions.create({ endpointId, eventName: 'callback.attempted' });
    await vi.waitFor(() => expect(interest?.wants('callback.attempted')).toBe(true));
  });

  it('is told of at once when the database is away at the start, and known later', async () => {
    let isAway = true;
    const db = Object.assign(Object.create(store.db) as typeof store.db, {
      query: (...args: Parameters<typeof store.db.query>) =>
        isAway ? Promise.reject(new Error('away')) : store.db.query(...args),
    });
    await subscriptions.create({ endpointId, eventName: 'callback.accepted' });
    await expect(start({ db, onError: () => undefined })).rejects.toThrow('away');
    expect(wanted()).toEqual(essential);
    isAway = false;
    await vi.waitFor(() => expect(interest?.wants('callback.accepted')).toBe(true));
  });
});

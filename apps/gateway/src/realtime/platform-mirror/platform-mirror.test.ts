import type { Subscription, WebSocketClient } from '@posthaste/appsync-client';
import { toChannelSegment } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  eventRecord,
  openTestMirror,
  type TestMirror,
  takeMirrored,
} from '../../../test/test-mirror.js';
import { createPlatformDatabase } from '../../../test/test-platform.js';

const shop = { application: 'shop' };

async function subscribe(client: WebSocketClient, channel: string): Promise<Subscription> {
  const subscription = client.subscribe(channel);
  await subscription.ready;
  return subscription;
}

async function namesOf(subscription: Subscription, count: number): Promise<string[]> {
  return (await takeMirrored(subscription, count)).map(({ name }) => name);
}

describeWithPostgres('the channels of the namespace posthaste', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let test: TestMirror;
  let key: string;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    test = await openTestMirror(database);
    key = await test.createKey();
    await test.append(eventRecord('orders', 'order.old', shop));
  });
  afterAll(async () => {
    await test?.close();
    await database?.drop();
  });

  it('show events of a topic that are published from the subscription on', async () => {
    const client = await test.connect(key);
    const topic = await subscribe(client, '/posthaste/events/orders');
    const path = `/posthaste/events/orders/${toChannelSegment('order.paid')}`;
    const name = await subscribe(client, path);
    const below = await subscribe(client, '/posthaste/events/*');
    const all = await subscribe(client, '/posthaste/*');
    for (const event of ['order.placed', 'order.paid']) {
      const published = { topic: 'orders', name: event, payload: { n: 12 } };
      expect(await test.call(key, '/v1/events', published)).toMatchObject({ status: 201 });
    }
    const [first, second] = await takeMirrored(topic, 2);
    expect(first).toMatchObject({
      ...{ topic: 'orders', name: 'order.placed', application: 'shop' },
      event: { name: 'order.placed', payload: { n: 12 } },
    });
    expect(second?.id).toMatch(/^[0-9a-f-]{32,36}$/);
    expect(await namesOf(name, 1)).toEqual(['order.paid']);
    // Each event once, whatever the number of channels below.
    await test.append(eventRecord('stock', 'stock.end', shop));
    const expected = ['order.paid', 'order.placed', 'stock.end'];
    expect((await namesOf(below, 3)).toSorted()).toEqual(expected);
    expect((await namesOf(all, 3)).toSorted()).toEqual(expected);
  });

  it('lose nothing that is published after a subscription was acknowledged', async () => {
    const client = await test.connect(key);
    const races = Array.from({ length: 100 }, async (_, i) => {
      const topic = `race-${i % 40}`;
      const name = `race.n${i}`;
      const path = `/posthaste/events/${topic}/${toChannelSegment(name)}`;
      const subscription = await subscribe(client, path);
      await test.append(eventRecord(topic, name, shop));
      return namesOf(subscription, 1);
    });
    expect((await Promise.all(races)).flat()).toEqual(
      Array.from({ length: 100 }, (_, i) => `race.n${i}`),
    );
  });

  it('show changes of callbacks', async () => {
    const reader = await test.createKey({ scopes: ['realtime:subscribe', 'callbacks:read'] });
    const client = await test.connect(reader);
    const callbacks = await subscribe(client, '/posthaste/callbacks');
    await test.append(
      eventRecord('callbacks', 'endpoint.disabled', shop),
      eventRecord('callbacks', 'callback.failed', { application: 'game' }),
      eventRecord('callbacks', 'callback.delivered', shop),
    );
    expect(await namesOf(callbacks, 1)).toEqual(['callback.delivered']);
  });

  it('are for the application of the event, and of its topic', async () => {
    const other = await test.createKey({ applications: ['game'] });
    const ours = await subscribe(await test.connect(key), '/posthaste/events/*');
    const theirs = await subscribe(await test.connect(other), '/posthaste/events/*');
    await test.append(
      eventRecord('shared', 'game.only', { application: 'game' }),
      eventRecord('shared', 'shop.only', shop),
      // Of nobody, in a topic that is mapped to the shop, and in one that is not.
      eventRecord('mapped', 'shop.mapped'),
      eventRecord('shared', 'nobody.shared'),
      // In a topic of the shop, by a service that may write for every application.
      eventRecord('mapped', 'game.foreign', { application: 'game' }),
    );
    await test.append(
      eventRecord('shared', 'end.shared', shop),
      eventRecord('mapped', 'end.mapped', shop),
      eventRecord('shared', 'end.shared', { application: 'game' }),
    );
    expect((await namesOf(ours, 4)).toSorted()).toEqual([
      ...['end.mapped', 'end.shared', 'shop.mapped', 'shop.only'],
    ]);
    expect((await namesOf(theirs, 2)).toSorted()).toEqual(['end.shared', 'game.only']);
  });

  it('show events of nobody to keys for all only, in the default application', async () => {
    const all = await subscribe(
      await test.connect(await test.createKey({ applications: 'all' })),
      '/posthaste/events/nobody',
    );
    const main = await subscribe(
      await test.connect(await test.createKey({ applications: ['main'] })),
      '/posthaste/events/nobody',
    );
    await test.append(eventRecord('nobody', 'of.nobody'));
    await test.append(eventRecord('nobody', 'of.main', { application: 'main' }));
    expect((await namesOf(all, 2)).toSorted()).toEqual(['of.main', 'of.nobody']);
    expect(await namesOf(main, 1)).toEqual(['of.main']);
  });

  it('show events of the audit log to those who may read it', async () => {
    const reader = await test.createKey({ scopes: ['realtime:subscribe', 'events:read'] });
    const client = await test.connect(reader);
    const without = await subscribe(client, '/posthaste/events/*');
    await expect(subscribe(client, '/posthaste/events/audit')).rejects.toMatchObject({
      errors: [{ errorType: 'Forbidden' }],
    });
    const admin = await test.connect(key);
    const audit = await subscribe(admin, '/posthaste/events/audit');
    const all = await subscribe(admin, '/posthaste/events/*');
    await test.append(eventRecord('audit', 'audit.recorded', shop));
    expect(await namesOf(audit, 1)).toEqual(['audit.recorded']);
    expect(await namesOf(all, 1)).toEqual(['audit.recorded']);
    await test.append(eventRecord('after', 'after.audit', shop));
    expect(await namesOf(without, 1)).toEqual(['after.audit']);
  });

  it('leave retries and dead letters out of wildcards, but have channels for them', async () => {
    const client = await test.connect(key);
    const all = await subscribe(client, '/posthaste/events/*');
    const dead = `/posthaste/events/${toChannelSegment('orders.dlq')}`;
    const letters = await subscribe(client, dead);
    const below = await subscribe(client, `${dead}/*`);
    await test.append(eventRecord('orders.dlq', 'order.dead', shop));
    expect(await namesOf(letters, 1)).toEqual(['order.dead']);
    expect(await namesOf(below, 1)).toEqual(['order.dead']);
    await test.append(eventRecord('orders', 'order.alive', shop));
    expect(await namesOf(all, 1)).toEqual(['order.alive']);
  });

  it('leave out records that are no events', async () => {
    const records = await subscribe(await test.connect(key), '/posthaste/events/records');
    const record = { ...eventRecord('records', 'any', shop), headers: {} };
    await test.append({ ...record, value: Buffer.from('{') }, { ...record, value: null });
    await test.append(eventRecord('records', 'a.record', shop));
    expect(await namesOf(records, 1)).toEqual(['a.record']);
  });

  it('have a stand-in for an event that is too large, which says where it can be read', async () => {
    const large = await subscribe(await test.connect(key), '/posthaste/events/large');
    await test.append(
      eventRecord('large', 'order.huge', { ...shop, padding: 500_000 }),
      eventRecord('large', 'order.large', { ...shop, padding: 240_000 }),
    );
    const [huge, fitting] = await takeMirrored(large, 2);
    expect(huge).toMatchObject({
      ...{ name: 'order.huge', topic: 'large', application: 'shop', payloadOmitted: true },
      readAt: expect.stringMatching(/^\/v1\/events\?topic=large&key=key&since=/),
    });
    expect(huge).not.toHaveProperty('event');
    expect(fitting).toMatchObject({ event: { payload: { text: 'x'.repeat(240_000) } } });
    const { json } = await test.call(key, huge?.readAt ?? '');
    const found = json.items?.map(({ event }) => event.id);
    expect(found).toContain(huge?.id);
  });

  it('refuse publishers, and channels that there are not', async () => {
    const client = await test.connect(key);
    await expect(client.publish('/posthaste/events/orders', ['1'])).rejects.toMatchObject({
      errors: [{ errorType: 'Forbidden' }],
    });
    for (const channel of ['/posthaste', '/posthaste/orders', '/posthaste/callbacks/*']) {
      await expect(subscribe(client, channel)).rejects.toMatchObject({
        errors: [{ errorType: 'BadRequestException' }],
      });
    }
  });

  describe('need the right to read what they show', () => {
    const refused = { errors: [{ errorType: 'Forbidden' }] };

    it('besides the right to subscribe', async () => {
      const subscriber = await test.connect(
        await test.createKey({ scopes: ['realtime:subscribe'] }),
      );
      for (const channel of ['/posthaste/events/orders', '/posthaste/callbacks', '/posthaste/*']) {
        await expect(subscribe(subscriber, channel)).rejects.toMatchObject(refused);
      }
      const scopes = ['realtime:subscribe', 'events:read'] as const;
      const reader = await test.connect(await test.createKey({ scopes }));
      await subscribe(reader, '/posthaste/events/orders');
      await expect(subscribe(reader, '/posthaste/callbacks')).rejects.toMatchObject(refused);
      await expect(subscribe(reader, '/posthaste/*')).rejects.toMatchObject(refused);
    });

    it('or a token that names the channel, of a key that may', async () => {
      const asked = { rights: ['subscribe'], channels: ['/posthaste/events/orders'] };
      const { status, json } = await test.call(key, '/v1/realtime/tokens', asked);
      expect(status).toBe(201);
      const client = await test.connect(json.token ?? '');
      const orders = await subscribe(client, '/posthaste/events/orders');
      await expect(subscribe(client, '/posthaste/events/stock')).rejects.toMatchObject({
        errors: [{ message: 'The credential does not allow this operation.' }],
      });
      await test.append(eventRecord('orders', 'order.shown', shop));
      expect(await namesOf(orders, 1)).toEqual(['order.shown']);
      // One that names no channels has only its own scopes.
      const plain = { name: 'plain', scopes: ['realtime:subscribe'] };
      const made = await test.call(key, '/v1/tokens', plain);
      const other = await test.connect(made.json.token ?? '');
      await expect(subscribe(other, '/posthaste/events/orders')).rejects.toMatchObject(refused);
    });

    it('and makers of tokens who may not read it get none', async () => {
      const maker = await test.createKey({ scopes: ['realtime:subscribe'] });
      const ask = async (channel: string, scopes = ['subscribe']) => {
        const asked = { rights: scopes, channels: [channel] };
        const { status, json } = await test.call(maker, '/v1/realtime/tokens', asked);
        return status === 201 ? status : json.code;
      };
      expect(await ask('/posthaste/events/orders')).toBe('SCOPE_MISSING');
      expect(await ask('/posthaste/*')).toBe('SCOPE_MISSING');
      expect(await ask('/default/room')).toBe(201);
    });
  });
});

describeWithPostgres('the channels of the namespace posthaste on loopback', () => {
  it('show the default application to callers without a credential', async () => {
    const database = await createPlatformDatabase();
    const test = await openTestMirror(database, 'loopback');
    try {
      const all = await subscribe(await test.connect('any'), '/posthaste/*');
      await test.append(
        eventRecord('orders', 'order.of-shop', shop),
        eventRecord('orders', 'order.of-nobody'),
      );
      expect(await namesOf(all, 1)).toEqual(['order.of-nobody']);
      const headers = { 'x-posthaste-application': 'shop' };
      const ours = await subscribe(await test.connect('any', headers), '/posthaste/events/orders');
      await test.append(eventRecord('orders', 'order.of-shop', shop));
      expect(await namesOf(ours, 1)).toEqual(['order.of-shop']);
    } finally {
      await test.close();
      await database.drop();
    }
  });
});

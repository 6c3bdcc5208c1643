import { newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeAll, describe, expect, it } from 'vitest';
import { useFanout } from '../../test/event-fanout.js';
import { eventOf, TestSink } from '../../test/events.js';
import { claim, findFaults, work } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { disableEndpoint } from '../endpoints/endpoint-state.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { Policies } from '../retry/policies.js';
import { toRetryPolicy } from '../retry/policy-input.js';
import { EventFanout, type EventSelector } from './event-fanout.js';

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);
  const fan = useFanout(store);
  const { endpoint, deliver } = fan;
  let policies: Policies;
  beforeAll(() => {
    policies = new Policies(store.db);
  });
  /** Claims what is due now. Returns the host and the field `n` of the payload of each. */
  const due = async (): Promise<string[]> => {
    const deliveries = await claim(store.db, 10_000);
    return deliveries
      .map(({ request: { url, body } }) => {
        const { payload } = JSON.parse(body?.toString() ?? '') as { payload: { n?: number } };
        return `${new URL(url).hostname.split('.')[0]} ${payload.n}`;
      })
      .sort();
  };

  it('makes one callback for each endpoint with a matching subscription', async () => {
    const [a, b, c] = [await endpoint('a'), await endpoint('b'), await endpoint('c')];
    await fan.subscriptions.create({ endpointId: a, eventName: 'order.created' }, 'all');
    await fan.subscriptions.create({ endpointId: a, eventName: 'order.*' }, 'all');
    await fan.subscriptions.create({ endpointId: a, eventName: '**' }, 'all');
    await fan.subscriptions.create(
      { endpointId: b, eventName: 'order.**', namespace: 'shop' },
      'all',
    );
    await fan.subscriptions.create(
      {
        endpointId: c,
        eventName: '**',
        filter: { required: ['n'], properties: { n: { type: 'integer', minimum: 3 } } },
      },
      'all',
    );
    const count = await deliver(
      eventOf('order.created', { n: 1 }),
      eventOf('order.item.added', { n: 2 }, { namespace: 'bank' }),
      eventOf('payment.made', { n: 3 }),
      eventOf('order.paid', { n: 9007199254740993n }),
    );
    expect(count).toBe(8);
    expect(await due()).toEqual(
      ['a 1', 'a 2', 'a 3', 'b 1', 'c 3', 'a 9007199254740992', 'b 9007199254740992']
        .concat('c 9007199254740992')
        .sort(),
    );
  });

  it('reaches the endpoints of the application of the event, and no others', async () => {
    const [shop, game] = [
      await endpoint('shop', { application: 'shop' }),
      await endpoint('game', { application: 'game' }),
    ];
    for (const endpointId of [shop, game]) {
      await fan.subscriptions.create({ endpointId, eventName: '**' }, 'all');
      await fan.subscriptions.create({ endpointId, eventName: 'order.created' }, 'all');
      await fan.subscriptions.create({ endpointId, eventName: 'callback.failed' }, 'all');
    }
    const of = (application: string, name = 'order.created', topic = 'orders') =>
      eventOf(name, {}, { application, topic });
    expect(await deliver(of('shop'))).toBe(1);
    expect(await deliver(of('other'))).toBe(0);
    expect(await deliver(of(''))).toBe(0);
    expect(await deliver(of('shop', 'callback.failed', 'callbacks'))).toBe(1);
    const claimed = await claim(store.db);
    expect(claimed.map(({ endpointId }) => endpointId)).toEqual([shop, shop]);
    expect(await deliver(of('game'))).toBe(1);
    expect((await claim(store.db)).map(({ endpointId }) => endpointId)).toEqual([game]);
  });

  it('uses the settings of the endpoint', async () => {
    await policies.put(
      { application: undefined, name: 'slow' },
      { phases: [{ retries: 2, delayMs: 60_000 }] },
    );
    const settings = {
      application: 'shop',
      policy: 'slow',
      timeoutMs: 1_234,
      notificationEmail: 'ops@example.com',
    };
    const endpointId = await endpoint('a', settings);
    await fan.subscriptions.create({ endpointId, eventName: '**' }, 'all');
    const event = eventOf('order.created', { text: 'größer' }, { application: 'shop' });
    await deliver(event);
    const [delivery] = await claim(store.db);
    expect(delivery).toMatchObject({ application: 'shop', endpointId, queue: undefined });
    expect(delivery?.fairnessKey).toBe(`https://a.example.com\nshop\n${endpointId}`);
    expect(delivery?.request).toMatchObject({
      url: 'https://a.example.com/',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      policy: toRetryPolicy({ phases: [{ retries: 2, delayMs: 60_000 }] }),
      timeoutMs: 1_234,
      secret: undefined,
      notificationEmail: 'ops@example.com',
    });
    expect(JSON.parse(delivery?.request.body?.toString() ?? '')).toMatchObject({
      id: event.envelope.id,
      name: 'order.created',
      payload: { text: 'größer' },
    });
    await policies.put({ application: undefined, name: 'slow' }, { phases: [] });
    await deliver(event);
    expect((await claim(store.db))[0]?.request.policy).toEqual(toRetryPolicy({ phases: [] }));
  });

  it('orders the events of each endpoint by its own setting', async () => {
    const [a, b] = [await endpoint('a', { order: 'key' }), await endpoint('b', { order: '/n' })];
    for (const endpointId of [a, b])
      await fan.subscriptions.create({ endpointId, eventName: '**' }, 'all');
    await deliver(...[1, 2, 3].map((n) => eventOf('e', { n }, { key: 'k' })));
    await deliver(eventOf('e', { n: 1 }), eventOf('e', { n: 4 }, { key: 'k' }));
    const { rows } = await store.db.query<{ queue: string; depth: number }>(
      `select queue, count(*)::int as depth from callbacks.request
       group by queue order by queue nulls last`,
    );
    expect(rows).toEqual(
      [
        { queue: `endpoint:${a}:k`, depth: 4 },
        { queue: `endpoint:${b}:1`, depth: 2 },
        ...[2, 3, 4].map((n) => ({ queue: `endpoint:${b}:${n}`, depth: 1 })),
      ]
        .sort((x, y) => (x.queue < y.queue ? -1 : 1))
        .concat({ queue: null as unknown as string, depth: 1 }),
    );
    expect(await due()).toEqual(['a 1', 'a 1', 'b 1', 'b 2', 'b 3', 'b 4']);
    expect(await findFaults(store.db)).toEqual([]);
  });

  it('notices every change of subscriptions, endpoints and policies at once', async () => {
    const elsewhere = new EventFanout({ db: store.db });
    const count = (): Promise<number> =>
      store.db.transaction((tx) => elsewhere.deliverEvents(tx, [eventOf('e', { n: 1 })]));
    const lastUrl = async (): Promise<string | undefined> => {
      await count();
      return (await claim(store.db)).at(-1)?.request.url;
    };
    const a = await endpoint('a');
    expect(await count()).toBe(0);
    const { id } = await fan.subscriptions.create({ endpointId: a, eventName: 'e' }, 'all');
    expect(await count()).toBe(1);
    await fan.subscriptions.update(id, { eventName: 'f' }, { within: 'all' });
    expect(await count()).toBe(0);
    await fan.subscriptions.update(id, { eventName: 'e' }, { within: 'all' });
    await work(store.db);
    await fan.endpoints.update(a, { url: 'https://new.example.com/' }, { within: 'all' });
    expect(await lastUrl()).toBe('https://new.example.com/');
    await fan.subscriptions.remove(id, 'all');
    expect(await count()).toBe(0);
    await fan.subscriptions.create({ endpointId: a, eventName: 'e' }, 'all');
    expect(await count()).toBe(1);
    await fan.endpoints.remove(a, 'all');
    expect(await count()).toBe(0);
  });

  it('stores events for an endpoint that is disabled', async () => {
    const a = await endpoint('a');
    await fan.subscriptions.create({ endpointId: a, eventName: '**' }, 'all');
    await disableEndpoint(store.db, a, { within: 'all', reason: 'gone' });
    expect(await deliver(eventOf('e', { n: 1 }))).toBe(1);
    expect(await due()).toEqual(['a 1']);
  });

  it('stores more than a thousand callbacks of one transaction in their order', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) {
      const endpointId = await endpoint(name, { order: 'key' });
      await fan.subscriptions.create({ endpointId, eventName: '**' }, 'all');
    }
    const events = Array.from({ length: 400 }, (_, n) => eventOf('e', { n }, { key: `k${n % 7}` }));
    expect(await deliver(...events)).toBe(1_200);
    await deliver(...events.slice(0, 200));
    expect(await findFaults(store.db)).toEqual([]);
    const { rows } = await store.db.query<{ wrong: number }>(`
      select count(*)::int as wrong from (
        select w.callback_id < lag(w.callback_id) over (partition by w.queue order by w.seq) as back
        from callbacks.waiting w
      ) o where back`);
    expect(rows).toEqual([{ wrong: 0 }]);
    expect(await due()).toHaveLength(21);
  });

  it('makes callbacks for events about callbacks only if a pattern names their first segment', async () => {
    const [a, b, c] = [await endpoint('a'), await endpoint('b'), await endpoint('c')];
    await fan.subscriptions.create({ endpointId: a, eventName: 'callback.failed' }, 'all');
    await fan.subscriptions.create({ endpointId: b, eventName: 'callback.*' }, 'all');
    await fan.subscriptions.create({ endpointId: c, eventName: '**' }, 'all');
    await fan.subscriptions.create({ endpointId: c, eventName: '*.failed' }, 'all');
    const failure = eventOf('callback.failed', { n: 1 }, { topic: 'callbacks' });
    expect(await deliver(failure)).toBe(2);
    const deliveries = await claim(store.db);
    expect(deliveries.map(({ endpointId, echo }) => [endpointId, echo]).sort()).toEqual(
      [
        [a, 1],
        [b, 1],
      ].sort(),
    );
  });

  it('never takes an event of another topic for one of the platform', async () => {
    const [a, b, c] = [await endpoint('a'), await endpoint('b'), await endpoint('c')];
    const names = ['callback.failed', 'callback.*', 'message.received', 'posthaste.**'];
    for (const eventName of names)
      await fan.subscriptions.create({ endpointId: a, eventName }, 'all');
    for (const endpointId of [b, c])
      await fan.subscriptions.create({ endpointId, eventName: '**' }, 'all');
    await fan.subscriptions.create({ endpointId: c, eventName: 'callback.failed' }, 'all');
    const select = await fan.fanout.currentSelector(store.db);
    if (select === 'none') throw new Error('there are subscriptions');
    const forged = ['callback.failed', 'message.received', 'posthaste.alert.raised'].map(
      (name, n) => eventOf(name, { n }, { topic: 'anything' }),
    );
    expect(await deliver(...forged)).toBe(5);
    // To the endpoint that gets real failures, the forged one does not go under any subscription.
    expect((await due()).sort()).toEqual(['b 0', 'b 1', 'b 2', 'c 1', 'c 2']);
    const real = eventOf('callback.failed', { n: 9 }, { topic: 'callbacks' });
    expect(await deliver(real)).toBe(2);
  });

  it('selects no event of another topic for a pattern of platform events', async () => {
    await fan.subscriptions.create(
      {
        endpointId: await endpoint('a'),
        eventName: 'callback.failed',
      },
      'all',
    );
    await fan.subscriptions.create(
      { endpointId: await endpoint('b'), eventName: 'endpoint.*' },
      'all',
    );
    const select = await fan.fanout.currentSelector(store.db);
    if (select === 'none') throw new Error('there are subscriptions');
    expect(select('anything', 'callback.failed')).toBe(false);
    expect(select('callbacks', 'callback.failed')).toBe(true);
    expect(select('anything', 'endpoint.disabled')).toBe(false);
    expect(select('callbacks', 'endpoint.disabled')).toBe(true);
  });

  it('does not send events of echo 1 to their own endpoint, and events of echo 2 to none', async () => {
    const [a, b] = [await endpoint('a'), await endpoint('b')];
    for (const endpointId of [a, b]) {
      await fan.subscriptions.create({ endpointId, eventName: 'callback.failed' }, 'all');
    }
    const failureOf = (echo: number): SubscribedEvent =>
      eventOf('callback.failed', { endpointId: a, echo, n: echo }, { topic: 'callbacks' });
    expect(await deliver(failureOf(1))).toBe(1);
    expect(await due()).toEqual(['b 1']);
    expect(await deliver(failureOf(2))).toBe(0);
  });

  it('emits events for the callbacks that it makes, except those with an echo', async () => {
    const sink = await TestSink.create(store.db);
    const emitting = new EventFanout({ db: store.db, events: sink });
    const a = await endpoint('a');
    await fan.subscriptions.create({ endpointId: a, eventName: 'order.created' }, 'all');
    await fan.subscriptions.create({ endpointId: a, eventName: 'callback.failed' }, 'all');
    const events = [
      eventOf('order.created', { n: 1 }),
      eventOf('callback.failed', { n: 2 }, { topic: 'callbacks' }),
    ];
    await store.db.transaction((tx) => emitting.deliverEvents(tx, events));
    await emitting.testEvent(a, { within: 'all' });
    expect(await sink.eventLines('endpointId')).toEqual([
      `callback.accepted ${a}`,
      `callback.accepted ${a}`,
    ]);
    expect(await due()).toHaveLength(3);
  });

  it('selects the events that a subscription may match', async () => {
    const select = async (): Promise<EventSelector> => fan.fanout.currentSelector(store.db);
    expect(await select()).toBe('none');
    const a = await endpoint('a');
    await fan.subscriptions.create(
      { endpointId: a, eventName: 'order.*', namespace: 'shop' },
      'all',
    );
    const selector = await select();
    if (selector === 'none') throw new Error('there is a subscription');
    expect(selector('orders', 'order.created')).toBe(true);
    expect(selector('orders', 'payment.made')).toBe(false);
    expect(selector('callbacks', 'callback.failed')).toBe(false);
  });

  it('continues the trace of the event', async () => {
    await fan.subscriptions.create({ endpointId: await endpoint('a'), eventName: '**' }, 'all');
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await deliver({ ...eventOf('e', { n: 1 }), trace: { traceparent } });
    const [delivery] = await claim(store.db);
    expect(delivery?.request.headers).toEqual({ 'content-type': 'application/json', traceparent });
  });

  it('sends a test event independent of subscriptions and order', async () => {
    const a = await endpoint('a', { order: 'namespace' });
    const id = await fan.fanout.testEvent(a, { within: 'all' });
    const [delivery] = await claim(store.db);
    expect(delivery).toMatchObject({ callbackId: id, endpointId: a, queue: undefined });
    expect(JSON.parse(delivery?.request.body?.toString() ?? '')).toMatchObject({
      name: 'posthaste.test',
      namespace: 'posthaste',
      payload: { endpointId: a },
    });
    for (const unknown of [newId(), 'x']) {
      await expect(fan.fanout.testEvent(unknown, { within: 'all' })).rejects.toEqual(
        expect.objectContaining({ code: 'ENDPOINT_NOT_FOUND' }),
      );
    }
  });
}

describeWithPostgres('the fan-out of events', () => suite('postgres'));
describe('the fan-out of events in the embedded database', () => suite('embedded'));

import type { JsonObject } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, describe, expect, it } from 'vitest';
import { useFanout } from '../../test/event-fanout.js';
import { eventOf } from '../../test/events.js';
import { claim } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { EventFanout } from '../subscriptions/event-fanout.js';
import type { Subscription } from '../subscriptions/subscription.js';
import type { FilterFault } from './filter-fault.js';
import type { FilterLimitOptions } from './filter-limits.js';

/** Far above any limit: counts 80,000 keys 150 times. */
const burning = { allOf: Array.from({ length: 150 }, (_, n) => ({ minProperties: n })) };
const keys: JsonObject = Object.fromEntries(Array.from({ length: 80_000 }, (_, n) => [`k${n}`, n]));
/** A filter that is large for a long list, and true for items that are multiples of 0.01. */
const checked = { properties: { items: { items: { multipleOf: 0.01 } } } };
/** The list that it takes tens of milliseconds for. */
const items = Array(60_000).fill(0.25);
/** Takes many seconds for that list. */
const endless = {
  properties: { items: { items: { allOf: Array(100).fill({ not: { multipleOf: 0.077 } }) } } },
};
const unlimited = { maxWork: 1e12, timeoutMs: 60_000, msPerSecond: 60_000 };

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);
  const fan = useFanout(store);
  const open: EventFanout[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((fanout) => fanout.close()));
  });

  /** Opens a fan-out with these limits. Returns a function that delivers events with it. */
  const start = (filterLimits: FilterLimitOptions = {}) => {
    const seen: { all: FilterFault[]; new: FilterFault[] } = { all: [], new: [] };
    const fanout = new EventFanout({
      db: store.db,
      filterLimits,
      onFilterFaults(all, newFaults) {
        seen.all.push(...all);
        seen.new.push(...newFaults);
      },
    });
    open.push(fanout);
    const deliver = (...events: SubscribedEvent[]): Promise<number> =>
      store.db.transaction((tx) => fanout.deliverEvents(tx, events));
    return { deliver, seen, fanout };
  };
  const subscribe = async (
    application: string,
    filter: Record<string, unknown>,
    eventName = '**',
  ): Promise<Subscription> => {
    const name = `e${Math.random()}`.replace('.', '');
    const endpointId = await fan.endpoint(name, { application });
    return fan.subscriptions.create({ endpointId, eventName, filter }, 'all');
  };
  const faultsOf = async (...subscriptions: Subscription[]): Promise<(string | undefined)[]> => {
    const found = await Promise.all(
      subscriptions.map(({ id }) => fan.subscriptions.get(id, 'all')),
    );
    return found.map(({ fault }) => fault?.code);
  };
  const event = (payload: JsonObject, name = 'order.made', application = 'shop'): SubscribedEvent =>
    eventOf(name, payload, { application });

  it('do not match a filter above the limit, which then shows a fault until it is changed', async () => {
    const { deliver, seen } = start({ timeoutMs: 60_000 });
    const evil: Subscription[] = [];
    for (let n = 0; n < 20; n += 1) evil.push(await subscribe('evil', burning, 'order.big'));
    const good = await subscribe('good', { required: ['n'] });
    const usual = event({ n: 1 }, 'order.made', 'good');
    const bomb = event(keys, 'order.big', 'evil');
    expect(await deliver(usual, bomb, usual)).toBe(2);
    const applications = (await claim(store.db)).map(({ application }) => application);
    expect(applications).toEqual(['good', 'good']);
    expect(new Set(await faultsOf(...evil))).toEqual(new Set(['FILTER_TOO_COSTLY']));
    expect(seen.new).toHaveLength(20);
    const [first = good] = evil;
    expect((await fan.subscriptions.get(first.id, 'all')).fault).toEqual({
      code: 'FILTER_TOO_COSTLY',
      message: expect.stringContaining('1000000 steps'),
      eventId: bomb.envelope.id,
      at: expect.any(Date),
    });
    expect(await faultsOf(good)).toEqual([undefined]);

    const changed = { eventName: 'order.big', filter: { minProperties: 80_000 } };
    expect(
      (await fan.subscriptions.update(first.id, changed, { within: 'all' })).fault,
    ).toBeUndefined();
    expect(await deliver(bomb)).toBe(1);
    expect(await faultsOf(first)).toEqual([undefined]);
  });

  it('match the other events of a subscription that has a fault', async () => {
    const { deliver, seen } = start({ maxWork: 1_000 });
    const subscription = await subscribe('shop', checked);
    expect(await deliver(event({ items }), event({ items: [0.01] }), event({ items }))).toBe(1);
    expect(seen.all).toHaveLength(2);
    expect(await faultsOf(subscription)).toEqual(['FILTER_TOO_COSTLY']);
  });

  it('write a fault once a minute, and not as a change of subscriptions', async () => {
    const { deliver, seen } = start({ maxWork: 1_000 });
    const subscription = await subscribe('shop', checked);
    const generation = () =>
      store.db.query('select generation from callbacks.subscription_generation');
    const before = (await generation()).rows;
    await deliver(event({ items }));
    await deliver(event({ items }));
    expect([seen.all.length, seen.new.length]).toEqual([2, 1]);
    expect((await generation()).rows).toEqual(before);
    // Removed, so that the next one is written.
    await fan.subscriptions.update(
      subscription.id,
      { eventName: '**', filter: checked },
      { within: 'all' },
    );
    expect(await faultsOf(subscription)).toEqual([undefined]);
    await deliver(event({ items }));
    expect(await faultsOf(subscription)).toEqual(['FILTER_TOO_COSTLY']);
  });

  it('write a fault again if the transaction was rolled back', async () => {
    const { deliver, fanout } = start({ maxWork: 1_000 });
    const subscription = await subscribe('shop', checked);
    const large = event({ items });
    const rolledBack = store.db.transaction(async (tx) => {
      await fanout.deliverEvents(tx, [large]);
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect(await faultsOf(subscription)).toEqual([undefined]);
    await deliver(large);
    expect(await faultsOf(subscription)).toEqual(['FILTER_TOO_COSTLY']);
  });

  it('match a large filter as exactly as a small one', async () => {
    const { deliver, seen } = start(unlimited);
    await subscribe('shop', checked);
    await subscribe('shop', { properties: { items: { contains: { const: 9007199254740993n } } } });
    const twice = [0.01, 9007199254740993n];
    const small = await deliver(event({ items: twice }), event({ items: [0.001] }));
    const large = await deliver(
      event({ items: [...items, ...twice] }),
      event({ items: [...items, 0.001] }),
    );
    expect([small, large]).toEqual([2, 2]);
    expect(seen.all).toEqual([]);
  });

  it('end a filter that runs for long, and deliver all else', async () => {
    const { deliver } = start({ ...unlimited, timeoutMs: 4_000 });
    const slow = await subscribe('evil', endless);
    const others = [await subscribe('evil', {}), await subscribe('good', {})];
    const usual = event({ n: 1 }, 'order.made', 'good');
    const large = event({ items: Array(340_000).fill(1) }, 'order.made', 'evil');
    expect(await deliver(usual, large, usual)).toBe(3);
    expect(await faultsOf(slow, ...others)).toEqual(['FILTER_TIMEOUT', undefined, undefined]);
    // The thread is started again.
    await subscribe('good', checked);
    const half = event({ items: Array(2_000).fill(0.5) }, 'order.made', 'good');
    expect(await deliver(half)).toBe(2);
  });

  it('limit the processor time of one application, and leave others theirs', async () => {
    const { deliver } = start({ ...unlimited, msPerSecond: 1 });
    const [a, b] = [await subscribe('shop', checked, 'a'), await subscribe('shop', checked, 'a')];
    const other = await subscribe('bank', checked, 'b');
    const small = await subscribe('shop', { required: ['n'] }, 'c');
    // The first one uses more than what is saved; the other ones of the application are not begun.
    expect(await deliver(event({ items }, 'a'), event({ items }, 'a'))).toBe(1);
    expect(await faultsOf(a, b)).toContain('FILTER_OVER_BUDGET');
    expect(await deliver(event({ items }, 'a'))).toBe(0);
    expect(await faultsOf(a, b, other, small)).toEqual([
      'FILTER_OVER_BUDGET',
      'FILTER_OVER_BUDGET',
      undefined,
      undefined,
    ]);
    expect(await deliver(event({ items }, 'b', 'bank'), event({ n: 1 }, 'c'))).toBe(2);
  });

  it('do not limit the processor time of the only application', async () => {
    const { deliver, seen } = start({ ...unlimited, msPerSecond: 1 });
    await subscribe('shop', checked);
    await subscribe('shop', checked);
    expect(await deliver(event({ items }), event({ items }), event({ items }))).toBe(6);
    expect(seen.all).toEqual([]);
  });

  it('match filters that are too many for one batch of events in threads', async () => {
    const { deliver, seen } = start(unlimited);
    const endpointId = await fan.endpoint('many', { application: 'shop' });
    for (let n = 0; n < 60; n += 1) {
      const filter = { properties: { n: { allOf: Array(30).fill({ minimum: n }) } } };
      await fan.subscriptions.create({ endpointId, eventName: '**', filter }, 'all');
    }
    expect(await deliver(event({ n: -1 }), event({ n: 59 }), event({ n: 0 }))).toBe(2);
    expect(seen.all).toEqual([]);
  });

  it('match no longer when the fan-out is closed', async () => {
    const { deliver, fanout } = start(unlimited);
    await subscribe('shop', checked);
    await fanout.close();
    await fanout.close();
    await expect(deliver(event({ items }))).rejects.toMatchObject({ code: 'STOPPING' });
    expect(await deliver(event({ items: [1] }))).toBe(1);
  });
}

describeWithPostgres('filters of subscriptions', () => suite('postgres'));
describe('filters of subscriptions in the embedded database', () => suite('embedded'));

describe('limits of filters', () => {
  it.each(['maxWork', 'timeoutMs', 'msPerSecond'])('are refused with %s 0', (name) => {
    const open = () => new EventFanout({ db: null as never, filterLimits: { [name]: 0 } });
    expect(open).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

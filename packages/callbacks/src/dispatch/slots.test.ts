import { describe, expect, it } from 'vitest';
import { toFairnessKey } from '../delivery/fairness-key.js';
import { type EndpointLimits, Slots } from './slots.js';

const origin = { max: 8, initial: 4, breakAfter: 2, minOpenMs: 1_000, maxOpenMs: 8_000 };
const keyOf = (host: string, application = 'a', endpointId?: string): string =>
  toFairnessKey({ origin: `http://${host}`, application, endpointId });
const unlimited = { maxConcurrency: undefined, ratePerSecond: undefined };

describe('slots', () => {
  const acquireAll = (slots: Slots, key: string, limits: EndpointLimits = unlimited): number => {
    let acquired = 0;
    while (slots.acquire(key, limits, 0)) acquired += 1;
    return acquired;
  };

  it('lets one sender have its share of a host, and leaves the rest to others', () => {
    const slots = new Slots({ total: 100, perApplication: 100, origin });
    expect(acquireAll(slots, keyOf('slow', 'a'))).toBe(4);
    expect(acquireAll(slots, keyOf('slow', 'b'))).toBe(4);
    expect(acquireAll(slots, keyOf('slow', 'c'))).toBe(0);
  });

  it('slows down the sender to a receiver that is slow or overloaded, and no other', () => {
    const slots = new Slots({ total: 100, perApplication: 100, origin: { ...origin, initial: 8 } });
    const context = { nowMs: 0, random: 0, isPaused: false };
    slots.report(keyOf('one', 'a'), { kind: 'slow' }, context);
    expect(slots.capacity(0).fairnessKeys.get(keyOf('one', 'a'))).toBe(4);
    slots.report(keyOf('one', 'b'), { kind: 'slow' }, { ...context, isPaused: true });
    expect(slots.capacity(0).fairnessKeys.has(keyOf('one', 'b'))).toBe(false);
    expect(slots.capacity(0).origins.size).toBe(0);
  });

  it('lets one host have its share, and leaves the rest to others', () => {
    const slots = new Slots({ total: 6, perApplication: 100, origin });
    expect(acquireAll(slots, keyOf('slow'))).toBe(4);
    expect(acquireAll(slots, keyOf('quick'))).toBe(2);
    expect(slots.free).toBe(0);
  });

  it('lets one application have its share, over all its hosts', () => {
    const slots = new Slots({ total: 100, perApplication: 6, origin });
    expect(acquireAll(slots, keyOf('one'))).toBe(4);
    expect(acquireAll(slots, keyOf('two'))).toBe(2);
    expect(acquireAll(slots, keyOf('two', 'b'))).toBe(4);
    expect(slots.capacity(0).applications.get('a')).toBe(0);
  });

  it('reports the capacity of the hosts and applications that it knows', () => {
    const slots = new Slots({ total: 100, perApplication: 100, origin });
    acquireAll(slots, keyOf('full'));
    slots.acquire(keyOf('busy'), undefined, 0);
    const capacity = slots.capacity(0);
    expect([...capacity.origins]).toEqual([
      ['http://full', 4],
      ['http://busy', 7],
    ]);
    expect([...capacity.applications]).toEqual([['a', 95]]);
    expect([...capacity.fairnessKeys]).toEqual([
      [keyOf('full'), 0],
      [keyOf('busy'), 3],
    ]);
    expect(capacity.originDefault).toBe(8);
    expect(capacity.fairnessKeyDefault).toBe(4);
  });

  it('keeps to the concurrency and the rate of an endpoint', () => {
    const slots = new Slots({ total: 100, perApplication: 100, origin });
    const two = { maxConcurrency: 2, ratePerSecond: undefined };
    expect(acquireAll(slots, keyOf('one', 'a', 'x'), two)).toBe(2);
    const rate = { maxConcurrency: undefined, ratePerSecond: 3 };
    expect(acquireAll(slots, keyOf('two', 'a', 'y'), rate)).toBe(3);
    expect(slots.nextAvailableAtMs(0)).toBeCloseTo(333.3, 0);
    expect(slots.acquire(keyOf('two', 'a', 'y'), rate, 334)).toBe(true);
    expect(slots.acquire(keyOf('two', 'a', 'y'), rate, 335)).toBe(false);
  });

  it('has a slot again after one was released', () => {
    const slots = new Slots({ total: 4, perApplication: 4, origin });
    acquireAll(slots, keyOf('one'));
    slots.release(keyOf('one'), 0);
    expect(slots.free).toBe(1);
    expect(slots.acquire(keyOf('one'), undefined, 0)).toBe(true);
  });

  it('reports when the suspension of an origin ends', () => {
    const slots = new Slots({ total: 10, perApplication: 10, origin });
    expect(slots.suspendedUntil(keyOf('one'), 0)).toBeUndefined();
    for (let i = 0; i < origin.breakAfter; i++) {
      slots.report(keyOf('one'), { kind: 'unreachable' }, { nowMs: 0, random: 0, isPaused: false });
    }
    expect(slots.suspendedUntil(keyOf('one'), 0)).toBe(origin.minOpenMs / 2);
    expect(slots.suspendedUntil(keyOf('one'), origin.minOpenMs)).toBeUndefined();
    expect(slots.suspendedUntil(keyOf('two'), 0)).toBeUndefined();
  });

  it('reports a fairness key that was refused, so that the next claim leaves it out', () => {
    const slots = new Slots({ total: 10, perApplication: 10, origin });
    const one = { maxConcurrency: 1, ratePerSecond: undefined };
    acquireAll(slots, keyOf('before', 'a', 'x'), one);
    expect(slots.acquire(keyOf('after', 'a', 'x'), one, 0)).toBe(false);
    expect(slots.capacity(0).fairnessKeys.get(keyOf('after', 'a', 'x'))).toBe(0);
  });

  it('forgets hosts and endpoints that are idle, so that it stays small', () => {
    const slots = new Slots({ total: 10, perApplication: 10, origin });
    for (let i = 0; i < 5_000; i++) {
      const key = keyOf(`host-${i}`, 'a', `endpoint-${i}`);
      slots.acquire(key, { maxConcurrency: 1, ratePerSecond: undefined }, 0);
      slots.release(key, 0);
    }
    expect(slots.capacity(0).origins.size).toBeLessThan(1_100);
    expect(slots.capacity(0).fairnessKeys.size).toBeLessThan(1_100);
  });
});

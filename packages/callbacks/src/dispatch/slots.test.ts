import { describe, expect, it } from 'vitest';
import { toFairnessKey } from '../delivery/fairness-key.js';
import { type EndpointLimits, Slots } from './slots.js';

const origin = { max: 8, initial: 4, breakAfter: 2, minOpenMs: 1_000, maxOpenMs: 8_000 };
const lane = (host: string, application = 'a', endpointId?: string): string =>
  toFairnessKey({ origin: `http://${host}`, application, endpointId });
const unlimited = { maxConcurrency: undefined, ratePerSecond: undefined };

describe('slots', () => {
  const takeAll = (slots: Slots, key: string, limits: EndpointLimits = unlimited): number => {
    let taken = 0;
    while (slots.acquire(key, limits, 0)) taken += 1;
    return taken;
  };

  it('gives one host its share and leaves the rest to others', () => {
    const slots = new Slots({ total: 6, perApplication: 100, origin });
    expect(takeAll(slots, lane('slow'))).toBe(4);
    expect(takeAll(slots, lane('quick'))).toBe(2);
    expect(slots.free).toBe(0);
  });

  it('gives one application its share, over all its hosts', () => {
    const slots = new Slots({ total: 100, perApplication: 6, origin });
    expect(takeAll(slots, lane('one'))).toBe(4);
    expect(takeAll(slots, lane('two'))).toBe(2);
    expect(takeAll(slots, lane('two', 'b'))).toBe(2);
    expect(slots.capacity(0).applications.get('a')).toBe(0);
  });

  it('tells the room of the hosts and the applications that it knows', () => {
    const slots = new Slots({ total: 100, perApplication: 100, origin });
    takeAll(slots, lane('full'));
    slots.acquire(lane('busy'), undefined, 0);
    const room = slots.capacity(0);
    expect([...room.origins]).toEqual([
      ['http://full', 0],
      ['http://busy', 3],
    ]);
    expect([...room.applications]).toEqual([['a', 95]]);
    expect(room.originDefault).toBe(4);
    expect(room.fairnessKeys.size).toBe(0);
  });

  it('keeps to the concurrency and the rate of an endpoint', () => {
    const slots = new Slots({ total: 100, perApplication: 100, origin });
    const two = { maxConcurrency: 2, ratePerSecond: undefined };
    expect(takeAll(slots, lane('one', 'a', 'x'), two)).toBe(2);
    const rate = { maxConcurrency: undefined, ratePerSecond: 3 };
    expect(takeAll(slots, lane('two', 'a', 'y'), rate)).toBe(3);
    expect(slots.opensAtMs(0)).toBeCloseTo(333.3, 0);
    expect(slots.acquire(lane('two', 'a', 'y'), rate, 334)).toBe(true);
    expect(slots.acquire(lane('two', 'a', 'y'), rate, 335)).toBe(false);
  });

  it('has room again for what is given back', () => {
    const slots = new Slots({ total: 4, perApplication: 4, origin });
    takeAll(slots, lane('one'));
    slots.release(lane('one'), 0);
    expect(slots.free).toBe(1);
    expect(slots.acquire(lane('one'), undefined, 0)).toBe(true);
  });

  it('tells when an origin that fails opens again', () => {
    const slots = new Slots({ total: 10, perApplication: 10, origin });
    expect(slots.closedUntil(lane('one'), 0)).toBeUndefined();
    for (let i = 0; i < origin.breakAfter; i++) {
      slots.report(lane('one'), { kind: 'unreachable' }, 0, 0);
    }
    expect(slots.closedUntil(lane('one'), 0)).toBe(origin.minOpenMs / 2);
    expect(slots.closedUntil(lane('one'), origin.minOpenMs)).toBeUndefined();
    expect(slots.closedUntil(lane('two'), 0)).toBeUndefined();
  });

  it('tells of a lane that was refused, so that the next claim leaves it alone', () => {
    const slots = new Slots({ total: 10, perApplication: 10, origin });
    const one = { maxConcurrency: 1, ratePerSecond: undefined };
    takeAll(slots, lane('before', 'a', 'x'), one);
    expect(slots.acquire(lane('after', 'a', 'x'), one, 0)).toBe(false);
    expect(slots.capacity(0).fairnessKeys.get(lane('after', 'a', 'x'))).toBe(0);
  });

  it('forgets hosts and endpoints that are idle, so that it stays small', () => {
    const slots = new Slots({ total: 10, perApplication: 10, origin });
    for (let i = 0; i < 5_000; i++) {
      const key = lane(`host-${i}`, 'a', `endpoint-${i}`);
      slots.acquire(key, { maxConcurrency: 1, ratePerSecond: undefined }, 0);
      slots.release(key, 0);
    }
    expect(slots.capacity(0).origins.size).toBeLessThan(1_100);
    expect(slots.capacity(0).fairnessKeys.size).toBeLessThan(1_100);
  });
});

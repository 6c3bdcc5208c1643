import { describe, expect, it } from 'vitest';
import { deliveryOf } from '../../test/deliveries.js';
import type { Delivery } from '../delivery/delivery.js';
import type { HostSignal } from '../delivery/outcome.js';
import { ReceiverPauses } from './receiver-pauses.js';

const answered = { kind: 'answered' } as const;
const slow = { kind: 'slow' } as const;
const asking = (retryAfterMs?: number): HostSignal => ({ kind: 'overloaded', retryAfterMs });

function to(path: string, application = 'a', endpointId?: string): Delivery {
  const request = { url: `http://example.com${path}` };
  return deliveryOf({ application, endpointId, request });
}

/** Returns pauses without randomness. Callbacks are postponed by exactly the wait. */
function open() {
  const pauses = new ReceiverPauses();
  return {
    pauses,
    report: (delivery: Delivery, signal: HostSignal, nowMs: number) =>
      pauses.report(delivery, signal, { nowMs, random: 0 }),
    waitOf: (delivery: Delivery, nowMs: number) =>
      pauses.postponementMs(delivery, { nowMs, random: 0 }),
  };
}

describe('a Retry-After', () => {
  it('pauses the path of the application, with any query, and nothing else', () => {
    const { report, waitOf } = open();
    expect(report(to('/limited?n=1'), asking(20_000), 0)).toBe(true);
    expect(waitOf(to('/limited?n=1'), 0)).toBe(20_000);
    expect(waitOf(to('/limited?n=2'), 5_000)).toBe(15_000);
    expect(waitOf(to('/limited#top'), 5_000)).toBe(15_000);
    expect(waitOf(to('/limited', 'b'), 0)).toBe(0);
    expect(waitOf(to('/ok'), 0)).toBe(0);
    expect(waitOf(to('/limited/more'), 0)).toBe(0);
    expect(waitOf(to('/limited', 'a', 'endpoint'), 0)).toBe(0);
  });

  it('pauses the endpoint, and neither its path nor another endpoint with the same URL', () => {
    const { report, waitOf } = open();
    report(to('/limited', 'a', 'one'), asking(20_000), 0);
    expect(waitOf(to('/limited', 'a', 'one'), 0)).toBe(20_000);
    expect(waitOf(to('/limited', 'a', 'two'), 0)).toBe(0);
    expect(waitOf(to('/limited'), 0)).toBe(0);
  });

  it('pauses for five minutes at most', () => {
    const { pauses, report, waitOf } = open();
    report(to('/'), asking(1e9), 0);
    expect(waitOf(to('/'), 0)).toBe(300_000);
    expect(pauses.pausedUntil(to('/'), 0)).toBe(300_000);
    expect(pauses.pausedUntil(to('/'), 300_000)).toBeUndefined();
  });

  it('is not cut short by another one', () => {
    const { report, waitOf } = open();
    report(to('/'), asking(20_000), 0);
    report(to('/'), asking(1_000), 0);
    expect(waitOf(to('/'), 0)).toBe(20_000);
  });
});

describe('a receiver that does not answer in time', () => {
  it('is paused after three times in a row', () => {
    const { report, waitOf } = open();
    expect(report(to('/'), slow, 0)).toBe(false);
    expect(report(to('/'), asking(), 0)).toBe(false);
    expect(waitOf(to('/'), 0)).toBe(0);
    expect(report(to('/'), slow, 0)).toBe(true);
    expect(waitOf(to('/'), 0)).toBe(500);
    expect(waitOf(to('/other'), 0)).toBe(0);
  });

  it('is not paused while it answers now and then', () => {
    const { report, waitOf } = open();
    for (let i = 0; i < 20; i++) report(to('/'), i % 3 === 2 ? answered : slow, 0);
    expect(waitOf(to('/'), 0)).toBe(0);
  });

  it('is paused once for all the attempts that were under way, and longer each time', () => {
    const { report, waitOf } = open();
    for (let i = 0; i < 16; i++) report(to('/'), slow, 0);
    expect(waitOf(to('/'), 0)).toBe(500);
    report(to('/'), slow, 500);
    expect(waitOf(to('/'), 500)).toBe(1_000);
    report(to('/'), slow, 1_500);
    expect(waitOf(to('/'), 1_500)).toBe(2_000);
  });
});

describe('after a pause', () => {
  it('one attempt starts, then two more with each answer, and after eight as many as before', () => {
    const { pauses, report, waitOf } = open();
    const start = (): number => {
      let started = 0;
      while (started < 100 && waitOf(to('/'), 1_000) === 0) {
        pauses.started(to('/'), 1_000);
        started += 1;
      }
      return started;
    };
    report(to('/'), asking(1_000), 0);
    expect(start()).toBe(1);
    report(to('/'), answered, 1_000);
    expect(start()).toBe(2);
    for (let i = 0; i < 2; i++) report(to('/'), answered, 1_000);
    expect(start()).toBe(4);
    for (let i = 0; i < 5; i++) report(to('/'), answered, 1_000);
    expect(start()).toBe(100);
  });

  it('another attempt starts when the first one could not connect, or was lost', () => {
    const { pauses, report, waitOf } = open();
    report(to('/'), asking(1_000), 0);
    pauses.started(to('/'), 1_000);
    expect(waitOf(to('/'), 1_000)).toBe(1_000);
    report(to('/'), { kind: 'unreachable' }, 1_000);
    expect(waitOf(to('/'), 1_000)).toBe(0);
    pauses.started(to('/'), 1_000);
    expect(waitOf(to('/'), 61_001)).toBe(0);
  });

  it('what waited comes due one after another', () => {
    const pauses = new ReceiverPauses();
    pauses.report(to('/'), asking(1_000), { nowMs: 0, random: 0 });
    const waits = Array.from({ length: 1_000 }, (_, index) =>
      pauses.postponementMs(to('/'), { nowMs: 0, random: (index % 10) / 10 }),
    );
    expect(Math.min(...waits)).toBe(1_000);
    expect(Math.max(...waits)).toBeGreaterThan(9_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(11_000);
  });
});

describe('beyond a thousand paths', () => {
  const crowded = () => {
    const opened = open();
    for (let i = 0; i < 1_000; i++) opened.report(to(`/${i}`), asking(60_000), 0);
    return opened;
  };

  it('the origin is paused, for that application alone', () => {
    const { report, waitOf } = crowded();
    expect(waitOf(to('/ok'), 0)).toBe(0);
    report(to('/1000'), asking(20_000), 0);
    expect(waitOf(to('/ok'), 0)).toBe(20_000);
    expect(waitOf(to('/7'), 0)).toBe(60_000);
    expect(waitOf(to('/ok', 'b'), 0)).toBe(0);
    expect(waitOf(to('/ok', 'a', 'endpoint'), 0)).toBe(0);
  });

  it('endpoints are kept apart all the same', () => {
    const { report, waitOf } = crowded();
    report(to('/', 'a', 'one'), asking(20_000), 0);
    expect(waitOf(to('/', 'a', 'one'), 0)).toBe(20_000);
    expect(waitOf(to('/ok'), 0)).toBe(0);
  });

  it('those are forgotten whose pause is long over', () => {
    const { report, waitOf } = crowded();
    report(to('/1000'), asking(20_000), 1_000_000);
    expect(waitOf(to('/1000'), 1_000_000)).toBe(20_000);
    expect(waitOf(to('/ok'), 1_000_000)).toBe(0);
  });
});

describe('many applications in trouble', () => {
  it('cost no search for each further one, and the ones known longest are forgotten', () => {
    const { report, waitOf } = open();
    for (let i = 0; i < 100_000; i++) report(to('/', `${i}`), asking(300_000), 0);
    expect(waitOf(to('/', '0'), 0)).toBe(300_000);
    expect(waitOf(to('/', '99999'), 0)).toBe(300_000);
    report(to('/', '100000'), asking(300_000), 10_000);
    report(to('/', '100001'), asking(300_000), 20_000);
    expect(waitOf(to('/', '0'), 20_000)).toBe(0);
    expect(waitOf(to('/', '1'), 20_000)).toBe(280_000);
    expect(waitOf(to('/', '100001'), 20_000)).toBe(300_000);
  });
});

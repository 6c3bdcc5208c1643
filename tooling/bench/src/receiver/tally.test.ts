import { describe, expect, it } from 'vitest';
import { sentAtHeader } from './protocol.js';
import { Tally } from './tally.js';

describe('Tally', () => {
  it('reports every watched count once, when it is reached', () => {
    const reached: number[] = [];
    const tally = new Tally((count) => reached.push(count));
    tally.watch(3);
    tally.watch(1);
    tally.deliver('');
    expect(reached).toEqual([1]);
    for (let more = 0; more < 4; more += 1) tally.deliver('');
    expect(reached).toEqual([1, 3]);
  });

  it('reports a count at once that was reached before it was watched', () => {
    const reached: number[] = [];
    const tally = new Tally((count) => reached.push(count));
    tally.deliver('');
    tally.watch(1);
    expect(reached).toEqual([1]);
  });

  it('accepts queues that each arrive in order', () => {
    const tally = new Tally(() => undefined);
    for (const place of ['a/0', 'b/0', 'a/1', 'a/2', 'b/1']) tally.checkOrder(place);
    expect(tally.counts().orderViolations).toBe(0);
  });

  it('counts what is early, late or doubled in its queue', () => {
    const tally = new Tally(() => undefined);
    for (const place of ['a/1', 'a/0', 'a/2', 'a/2']) tally.checkOrder(place);
    expect(tally.counts().orderViolations).toBe(3);
  });

  it('takes latencies from the header only when asked to', () => {
    const tally = new Tally(() => undefined);
    const sentAt = process.hrtime.bigint() - 5_000_000n;
    const head = `POST / HTTP/1.1\r\n${sentAtHeader}: ${sentAt}`;
    tally.deliver(head);
    expect(tally.latenciesMs).toEqual([]);
    tally.reset(true);
    tally.deliver(head);
    expect(tally.latenciesMs[0]).toBeGreaterThanOrEqual(5);
  });
});

import { describe, expect, it } from 'vitest';
import { sentAtHeader } from './protocol.js';
import { RequestCounter } from './request-counter.js';

describe('RequestCounter', () => {
  it('reports every watched count once, when it is reached', () => {
    const reached: number[] = [];
    const counter = new RequestCounter((count) => reached.push(count));
    counter.watch(3);
    counter.watch(1);
    counter.deliver('');
    expect(reached).toEqual([1]);
    for (let more = 0; more < 4; more += 1) counter.deliver('');
    expect(reached).toEqual([1, 3]);
  });

  it('reports a count at once that was reached before it was watched', () => {
    const reached: number[] = [];
    const counter = new RequestCounter((count) => reached.push(count));
    counter.deliver('');
    counter.watch(1);
    expect(reached).toEqual([1]);
  });

  it('accepts queues that each arrive in order', () => {
    const counter = new RequestCounter(() => undefined);
    for (const position of ['a/0', 'b/0', 'a/1', 'a/2', 'b/1']) counter.checkOrder(position);
    expect(counter.counts().orderViolations).toBe(0);
  });

  it('counts requests that are early, late or repeated in their queue', () => {
    const counter = new RequestCounter(() => undefined);
    for (const position of ['a/1', 'a/0', 'a/2', 'a/2']) counter.checkOrder(position);
    expect(counter.counts().orderViolations).toBe(3);
  });

  it('reads latencies from the header only on request', () => {
    const counter = new RequestCounter(() => undefined);
    const sentAt = process.hrtime.bigint() - 5_000_000n;
    const head = `POST / HTTP/1.1\r\n${sentAtHeader}: ${sentAt}`;
    counter.deliver(head);
    expect(counter.latenciesMs).toEqual([]);
    counter.reset(true);
    counter.deliver(head);
    expect(counter.latenciesMs[0]).toBeGreaterThanOrEqual(5);
  });
});

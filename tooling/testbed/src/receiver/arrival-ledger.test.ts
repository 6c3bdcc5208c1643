import { describe, expect, it } from 'vitest';
import { type ArrivalSummary, createArrivalLedger } from './arrival-ledger.js';

/** Returns the summary of requests: `0` is an accepted one for callback 0 of a queue, `0!` a refused one. */
function summaryOf(...requests: string[]): ArrivalSummary {
  const ledger = createArrivalLedger();
  for (const request of requests) {
    const sequence = Number.parseInt(request, 10);
    const accepted = !request.endsWith('!');
    ledger.record({ place: { queue: 'q', sequence }, id: request, accepted });
  }
  return ledger.summary();
}

describe('createArrivalLedger', () => {
  it('finds no fault with failures that are retried in order', () => {
    expect(summaryOf('0!', '0', '1', '2!', '2!', '2')).toEqual({
      requests: 6,
      accepted: 3,
      duplicates: 0,
      early: 0,
      late: 0,
      queues: 1,
    });
  });

  it('counts a callback that was accepted twice only once', () => {
    expect(summaryOf('0', '0', '1')).toMatchObject({
      accepted: 2,
      duplicates: 1,
      early: 0,
      late: 0,
    });
  });

  it('finds a callback that overtakes one that was not accepted', () => {
    expect(summaryOf('0!', '1', '0')).toMatchObject({ accepted: 2, early: 1, late: 1 });
  });

  it('finds an attempt that comes again after its successor', () => {
    expect(summaryOf('0', '1', '0')).toMatchObject({ duplicates: 1, early: 0, late: 1 });
  });

  it('separates queues, and checks no order of callbacks without a queue', () => {
    const ledger = createArrivalLedger();
    ledger.record({ place: { queue: 'a', sequence: 0 }, id: '1', accepted: true });
    ledger.record({ place: { queue: 'b', sequence: 0 }, id: '2', accepted: true });
    ledger.record({ id: '4', accepted: true });
    ledger.record({ id: '3', accepted: false });
    ledger.record({ id: '3', accepted: true });
    ledger.record({ id: '4', accepted: true });
    expect(ledger.summary()).toEqual({
      requests: 6,
      accepted: 4,
      duplicates: 1,
      early: 0,
      late: 0,
      queues: 2,
    });
  });
});

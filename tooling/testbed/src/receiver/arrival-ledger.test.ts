import { describe, expect, it } from 'vitest';
import { type ArrivalSummary, createArrivalLedger } from './arrival-ledger.js';

/** `0` is an accepted request for callback 0 of a queue, `0!` one that was not accepted. */
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
  it('finds nothing wrong with failures that are repeated in order', () => {
    expect(summaryOf('0!', '0', '1', '2!', '2!', '2')).toEqual({
      requests: 6,
      accepted: 3,
      duplicates: 0,
      early: 0,
      late: 0,
      queues: 1,
    });
  });

  it('counts a callback once that was accepted twice', () => {
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

  it('keeps queues apart, and asks no order of what has none', () => {
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

/** One request that arrived at a receiver. */
export interface Arrival {
  /** Queue, and place in the queue, counted from 0. Absent if the callback has no order. */
  readonly place?: { readonly queue: string; readonly sequence: number };
  /** Id of the callback, the same on every attempt. */
  readonly id: string;
  /** True if the response was a success. */
  readonly accepted: boolean;
}

/** Counts of arrivals. The callbacks were delivered in order if `early` and `late` are 0. */
export interface ArrivalSummary {
  /** All requests, with any response. */
  readonly requests: number;
  /** Callbacks that got at least one success. */
  readonly accepted: number;
  /** Requests for a callback that had got a success before. */
  readonly duplicates: number;
  /** Requests that arrived before a predecessor in their queue was accepted. */
  readonly early: number;
  /** Requests that arrived after a successor in their queue had arrived. */
  readonly late: number;
  readonly queues: number;
}

interface Queue {
  /** The lowest sequence that was not accepted yet; all lower ones were. */
  next: number;
  /** The highest sequence that arrived, accepted or not; -1 before the first. */
  highest: number;
  /** Accepted sequences above `next`. */
  readonly beyond: Set<number>;
}

/** Counts arrivals. */
export interface ArrivalLedger {
  record(arrival: Arrival): void;
  summary(): ArrivalSummary;
}

/** Creates a ledger. Its memory grows only with the number of queues and of callbacks without order. */
export function createArrivalLedger(): ArrivalLedger {
  const queues = new Map<string, Queue>();
  const unordered = new Set<string>();
  const counts = { requests: 0, accepted: 0, duplicates: 0, early: 0, late: 0 };

  function recordInQueue(name: string, sequence: number, accepted: boolean): void {
    const queue = queues.get(name) ?? { next: 0, highest: -1, beyond: new Set() };
    queues.set(name, queue);
    const known = sequence < queue.next || queue.beyond.has(sequence);
    if (known) counts.duplicates += 1;
    if (sequence > queue.next) counts.early += 1;
    if (sequence < queue.highest) counts.late += 1;
    queue.highest = Math.max(queue.highest, sequence);
    if (known || !accepted) return;
    counts.accepted += 1;
    queue.beyond.add(sequence);
    while (queue.beyond.delete(queue.next)) queue.next += 1;
  }

  return {
    record: ({ place, id, accepted }) => {
      counts.requests += 1;
      if (place) return recordInQueue(place.queue, place.sequence, accepted);
      if (unordered.has(id)) counts.duplicates += 1;
      else if (accepted) {
        unordered.add(id);
        counts.accepted += 1;
      }
    },
    summary: () => ({ ...counts, queues: queues.size }),
  };
}

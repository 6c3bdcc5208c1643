/** One request as a receiver saw it. */
export interface Arrival {
  /** Which queue, and its place in it, counted from 0. Absent: it has no order. */
  readonly place?: { readonly queue: string; readonly sequence: number };
  /** The callback's id, the same on every attempt. */
  readonly id: string;
  /** Whether it was answered with success. */
  readonly accepted: boolean;
}

/** What arrived, in numbers. Each callback was delivered in order when `early` and `late` are 0. */
export interface ArrivalSummary {
  /** Requests, whatever became of them. */
  readonly requests: number;
  /** Callbacks that were answered with success at least once. */
  readonly accepted: number;
  /** Requests for a callback that had been answered with success before. */
  readonly duplicates: number;
  /** Requests that came before a predecessor in their queue was accepted. */
  readonly early: number;
  /** Requests that came after a successor in their queue had come. */
  readonly late: number;
  readonly queues: number;
}

interface Queue {
  /** The lowest sequence that was not accepted yet: all before it were. */
  next: number;
  /** The highest sequence that came, accepted or not; -1 before the first. */
  highest: number;
  /** Accepted ones beyond `next`. */
  readonly beyond: Set<number>;
}

export interface ArrivalLedger {
  record(arrival: Arrival): void;
  summary(): ArrivalSummary;
}

/** Keeps account of arrivals. Its memory grows with queues and callbacks without order only. */
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

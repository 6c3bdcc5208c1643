import { type ReceiverCounts, sentAtHeader } from './protocol.js';

const sentAt = new RegExp(`\r\n${sentAtHeader}: *(\\d+)`, 'i');

/** Counts the requests that arrive. */
export class RequestCounter {
  readonly #onReached: (count: number, atNs: bigint) => void;
  unavailable = 0;
  hanging = 0;
  /** Times from `sentAtHeader` to arrival, in order of arrival. */
  latenciesMs: number[] = [];
  #delivered = 0;
  #orderViolations = 0;
  #measuresLatency = false;
  /** Highest sequence that has arrived, by queue. */
  #sequences = new Map<string, number>();
  /** Counts to report, in ascending order. */
  #watched: number[] = [];

  constructor(onReached: (count: number, atNs: bigint) => void) {
    this.#onReached = onReached;
  }

  /** Resets the counts. */
  reset(measuresLatency: boolean): void {
    this.unavailable = 0;
    this.hanging = 0;
    this.#delivered = 0;
    this.#orderViolations = 0;
    this.#measuresLatency = measuresLatency;
    this.latenciesMs = [];
    this.#sequences = new Map();
    this.#watched = [];
  }

  /** Reports `count` as soon as it is reached: at once if it is reached already. */
  watch(count: number): void {
    this.#watched = [...this.#watched, count].sort((a, b) => a - b);
    this.#reportReached();
  }

  /** Counts a request with the response 200. */
  deliver(head: string): void {
    if (this.#measuresLatency) this.#recordLatency(head);
    this.#delivered += 1;
    if (this.#delivered === this.#watched[0]) this.#reportReached();
  }

  /** Checks `<queue>/<sequence>`: sequences of a queue must count from 0 without a gap. */
  checkOrder(position: string): void {
    const [queue = '', sequence] = position.split('/');
    const expected = (this.#sequences.get(queue) ?? -1) + 1;
    if (Number(sequence) !== expected) this.#orderViolations += 1;
    this.#sequences.set(queue, Math.max(expected - 1, Number(sequence)));
  }

  counts(): ReceiverCounts {
    return {
      delivered: this.#delivered,
      unavailable: this.unavailable,
      hanging: this.hanging,
      orderViolations: this.#orderViolations,
    };
  }

  #recordLatency(head: string): void {
    const sent = sentAt.exec(head)?.[1];
    if (sent) this.latenciesMs.push(Number(process.hrtime.bigint() - BigInt(sent)) / 1e6);
  }

  #reportReached(): void {
    const atNs = process.hrtime.bigint();
    const reached = this.#watched.filter((count) => count <= this.#delivered);
    this.#watched = this.#watched.slice(reached.length);
    for (const count of reached) this.#onReached(count, atNs);
  }
}

import { PlatformError } from '@posthaste/contracts';
import {
  type HandedInEvent,
  type PublishOutcome,
  type PublishTarget,
  publishOnce,
} from './publish-once.js';

/** Events in one transaction at most, unless one call has more. */
const maxTogether = 500;
/** Keys and values in one transaction at most, in bytes, unless one call has more. */
const maxBytesTogether = 4 * 1_048_576;
/** Transactions under way at once: while one is flushed the other is filled. */
const maxUnderWay = 2;
/** Keys and values that wait for their turn, in bytes; more are refused. */
const maxWaitingBytes = 64 * 1_048_576;

interface Call {
  readonly events: readonly HandedInEvent[];
  readonly bytes: number;
  readonly resolve: (outcomes: readonly PublishOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Group commit: events that are handed in at the same time share a transaction and its flush. */
export class EventIntake {
  readonly #target: PublishTarget;
  #waiting: Call[] = [];
  #waitingBytes = 0;
  #underWay = 0;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(target: PublishTarget) {
    this.#target = target;
  }

  /**
   * As `publishOnce`, once it is their turn.
   * @throws PlatformError `DATABASE_*`, `OVERLOADED`, `STOPPING`
   */
  async publish(events: readonly HandedInEvent[]): Promise<readonly PublishOutcome[]> {
    if (this.#closed) throw new PlatformError('STOPPING', 'the server is stopping');
    if (this.#waitingBytes > maxWaitingBytes) {
      throw new PlatformError('OVERLOADED', 'too many events wait for the database');
    }
    const bytes = events.reduce((sum, { event }) => sum + event.key.length + event.value.length, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      // Not at once: what else arrived in this turn of the event loop joins it.
      if (this.#waiting.length === 1) setImmediate(() => this.#pump());
    });
  }

  /** Publishes what was handed in, and takes nothing more. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#underWay === 0 && this.#waiting.length === 0) return;
    await new Promise<void>((resolve) => {
      const earlier = this.#idle;
      this.#idle = () => {
        earlier?.();
        resolve();
      };
    });
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#underWay < maxUnderWay) {
      this.#underWay += 1;
      void this.#run(this.#take()).then(() => {
        this.#underWay -= 1;
        this.#pump();
      });
    }
    if (this.#underWay === 0) this.#idle?.();
  }

  /** The first that wait, as many as fit into one transaction. */
  #take(): readonly Call[] {
    let count = 0;
    let events = 0;
    let bytes = 0;
    for (const call of this.#waiting) {
      events += call.events.length;
      bytes += call.bytes;
      if (count > 0 && (events > maxTogether || bytes > maxBytesTogether)) break;
      this.#waitingBytes -= call.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #run(calls: readonly Call[]): Promise<void> {
    try {
      const outcomes = await publishOnce(
        this.#target,
        calls.flatMap(({ events }) => events),
      );
      let start = 0;
      for (const { events, resolve } of calls) {
        resolve(outcomes.slice(start, start + events.length));
        start += events.length;
      }
    } catch (error) {
      if (calls.length > 1 && mayBeOfOne(error)) {
        // One after the other, so that those of one key keep their order.
        for (const call of calls) await this.#run([call]);
      } else for (const { reject } of calls) reject(error);
    }
  }
}

/** What certainly was not stored, and perhaps because of one of them only. */
function mayBeOfOne(error: unknown): boolean {
  return !(error instanceof PlatformError) || error.type === 'internal' || error.type === 'invalid';
}

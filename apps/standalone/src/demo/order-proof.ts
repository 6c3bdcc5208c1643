import { type DemoPlan, type QueuePosition, toPath } from './plan.js';

/** Attempt that the receiver got. */
export interface ReceivedAttempt extends QueuePosition {
  /** `webhook-id`: the callback's id, the same on every attempt. */
  readonly id: string;
  /** `webhook-timestamp`: the time at which the attempt began, in Unix seconds. */
  readonly sentAt: number;
  /** True if the receiver answered with success. The sender may not know: the answer may be lost. */
  readonly accepted: boolean;
}

/** Callback that was sent again after the receiver had accepted it. */
export interface Repeat extends QueuePosition {
  readonly id: string;
  /** Number of times that it was accepted again. */
  readonly duplicates: number;
}

/** Result of the check of everything that the receiver got. */
export interface OrderReport {
  /** Number of callbacks that the receiver accepted. */
  readonly delivered: number;
  /** Number of queues that are complete and were in order throughout. */
  readonly queuesInOrder: number;
  readonly repeats: readonly Repeat[];
  /** Violations of order and completeness, one line each. */
  readonly violations: readonly string[];
}

/** State of one queue while its attempts are checked. */
interface QueueState {
  /** Sequence number of the first callback that was not accepted yet; all before it were. */
  next: number;
  /** Time at which each callback was first sent, in Unix seconds, by its sequence number. */
  readonly firstSentAt: Map<number, number>;
  readonly repeats: Map<number, Repeat>;
  readonly violations: string[];
}

/**
 * Checks all attempts, in the order in which they came, against the callbacks that were posted. No
 * attempt may come before everything ahead of it in its queue was accepted, nor be sent after an
 * attempt of a callback behind it. Every callback must come, under the id that its post returned.
 *
 * A request that its sender has given up may still reach a busy receiver much later. It is
 * recognised by its time: it was sent at least one second before the attempts that came ahead of it,
 * because no attempt of the demo may take less.
 *
 * @param ids the id of each posted callback, by `toPath` of its position
 */
export function checkOrder(
  plan: DemoPlan,
  ids: ReadonlyMap<string, string>,
  attempts: readonly ReceivedAttempt[],
): OrderReport {
  const queues = new Map<string, QueueState>();
  for (const queue of plan.queues.keys()) {
    queues.set(queue, { next: 0, firstSentAt: new Map(), repeats: new Map(), violations: [] });
  }
  const unknown: string[] = [];
  for (const attempt of attempts) {
    const state = queues.get(attempt.queue);
    if (!state || ids.get(toPath(attempt)) !== attempt.id) {
      unknown.push(
        `${toPath(attempt)} came with the id ${attempt.id}, which was not posted for it`,
      );
    } else addAttempt(state, attempt);
  }
  for (const [queue, count] of plan.queues) {
    const state = queues.get(queue);
    if (state && state.next < count) {
      state.violations.push(`${queue}: ${count - state.next} of ${count} callbacks did not arrive`);
    }
  }
  const all = [...queues.values()];
  return {
    delivered: all.reduce((sum, { next }) => sum + next, 0),
    queuesInOrder: all.filter(({ violations }) => violations.length === 0).length,
    repeats: all.flatMap(({ repeats }) => [...repeats.values()]),
    violations: [...all.flatMap(({ violations }) => violations), ...unknown],
  };
}

function addAttempt(state: QueueState, attempt: ReceivedAttempt): void {
  const { queue, sequence, id, sentAt, accepted } = attempt;
  const { firstSentAt, repeats, violations } = state;
  if (sequence > state.next) {
    violations.push(`${queue}: callback ${sequence} came before ${state.next} was delivered`);
  }
  const successorSentAt = firstSentAt.get(sequence + 1);
  if (successorSentAt !== undefined && sentAt >= successorSentAt) {
    violations.push(`${queue}: callback ${sequence} was sent again after ${sequence + 1}`);
  }
  if (!firstSentAt.has(sequence)) firstSentAt.set(sequence, sentAt);
  if (sequence < state.next) {
    const before = repeats.get(sequence)?.duplicates ?? 0;
    repeats.set(sequence, { queue, sequence, id, duplicates: before + Number(accepted) });
  } else if (accepted && sequence === state.next) state.next += 1;
}

/**
 * Finds repeats that should not have happened. A callback may be accepted again once for each attempt
 * whose answer never reached the sender; once a success has reached it, it must not send again.
 * @param statusCodes the status codes of all attempts that the sender recorded, by id; 0 for no answer
 */
export function findUnexplainedRepeats(
  repeats: readonly Repeat[],
  statusCodes: ReadonlyMap<string, readonly number[]>,
): string[] {
  return repeats
    .filter(({ id, duplicates }) => {
      const codes = statusCodes.get(id) ?? [];
      const unanswered = codes.filter((code) => code === 0).length;
      return duplicates > unanswered || codes.slice(0, -1).some(isSuccess);
    })
    .map(({ queue, sequence }) => {
      return `${queue}: callback ${sequence} came again although its result was known`;
    });
}

function isSuccess(statusCode: number): boolean {
  return statusCode >= 200 && statusCode < 300;
}

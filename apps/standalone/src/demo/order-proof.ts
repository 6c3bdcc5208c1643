import { type DemoPlan, type Place, toPath } from './plan.js';

/** One request that the receiver got. */
export interface Arrival extends Place {
  /** `webhook-id`: the callback's id, the same on every attempt. */
  readonly id: string;
  /** `webhook-timestamp`: when the attempt began, in Unix seconds. */
  readonly sentAt: number;
  /** Whether the receiver took it. The sender may not know, when the answer was lost. */
  readonly accepted: boolean;
}

/** A callback that was sent again after it had been taken. */
export interface Repeat extends Place {
  readonly id: string;
  /** How often it was taken again. */
  readonly duplicates: number;
}

/** What the receiver saw, judged. */
export interface Verdict {
  /** Callbacks that were taken. */
  readonly delivered: number;
  /** Queues that are complete and were in order throughout. */
  readonly queuesInOrder: number;
  readonly repeats: readonly Repeat[];
  /** What was wrong, a line each; none when all is well. */
  readonly faults: readonly string[];
}

/** One queue, as its arrivals come by. */
interface QueueReplay {
  /** The first that was not taken yet: all before it were. */
  next: number;
  /** When each that has come was first sent, in Unix seconds. */
  readonly firstSentAt: Map<number, number>;
  readonly repeats: Map<number, Repeat>;
  readonly faults: string[];
}

/**
 * Goes through all arrivals in the order in which they came, and holds them against what was posted:
 * nothing may come before everything ahead of it in its queue was taken, nor have been sent after
 * something behind it was; everything must come, under the one id that its post was answered with.
 *
 * A request that its sender has given up may reach a receiver that is short of time long after. It
 * was sent before what it comes after, by a second at least: no attempt of the demo may take less.
 *
 * @param ids the id of each posted callback, by `toPath` of its place
 */
export function judgeArrivals(
  plan: DemoPlan,
  ids: ReadonlyMap<string, string>,
  arrivals: readonly Arrival[],
): Verdict {
  const replays = new Map<string, QueueReplay>();
  for (const queue of plan.queues.keys()) {
    replays.set(queue, { next: 0, firstSentAt: new Map(), repeats: new Map(), faults: [] });
  }
  const strays: string[] = [];
  for (const arrival of arrivals) {
    const replay = replays.get(arrival.queue);
    if (!replay || ids.get(toPath(arrival)) !== arrival.id) {
      strays.push(`${toPath(arrival)} came with the id ${arrival.id}, which was not posted for it`);
    } else follow(replay, arrival);
  }
  for (const [queue, count] of plan.queues) {
    const replay = replays.get(queue);
    if (replay && replay.next < count) {
      replay.faults.push(`${queue}: ${count - replay.next} of ${count} did not arrive`);
    }
  }
  const all = [...replays.values()];
  return {
    delivered: all.reduce((sum, { next }) => sum + next, 0),
    queuesInOrder: all.filter(({ faults }) => faults.length === 0).length,
    repeats: all.flatMap(({ repeats }) => [...repeats.values()]),
    faults: [...all.flatMap(({ faults }) => faults), ...strays],
  };
}

function follow(replay: QueueReplay, { queue, sequence, id, sentAt, accepted }: Arrival): void {
  const { firstSentAt } = replay;
  if (sequence > replay.next) {
    replay.faults.push(`${queue}: ${sequence} came before ${replay.next} was taken`);
  }
  const successorSentAt = firstSentAt.get(sequence + 1);
  if (successorSentAt !== undefined && sentAt >= successorSentAt) {
    replay.faults.push(`${queue}: ${sequence} was sent again after ${sequence + 1}`);
  }
  if (!firstSentAt.has(sequence)) firstSentAt.set(sequence, sentAt);
  if (sequence < replay.next) {
    const before = replay.repeats.get(sequence)?.duplicates ?? 0;
    replay.repeats.set(sequence, { queue, sequence, id, duplicates: before + Number(accepted) });
  } else if (accepted && sequence === replay.next) replay.next += 1;
}

/**
 * The repeats that should not have been. A callback may be taken again once for each attempt whose
 * answer never reached the sender, and is not sent again once an answer did.
 * @param histories what the sender has noted, by id: the status code of each attempt, 0 for none
 */
export function findUnexcused(
  repeats: readonly Repeat[],
  histories: ReadonlyMap<string, readonly number[]>,
): string[] {
  return repeats
    .filter(({ id, duplicates }) => {
      const codes = histories.get(id) ?? [];
      const unanswered = codes.filter((code) => code === 0).length;
      return duplicates > unanswered || codes.slice(0, -1).some(isSuccess);
    })
    .map((each) => `${each.queue}: ${each.sequence} came again although its outcome was known`);
}

function isSuccess(statusCode: number): boolean {
  return statusCode >= 200 && statusCode < 300;
}

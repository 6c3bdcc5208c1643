import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { AppendRequest } from '../../../driver.js';
import type { OutgoingRecord } from '../../../record.js';

/**
 * How long an answer is waited for, in milliseconds. Requests time out long before; but a library that
 * forgets one must not hold up its partition for ever.
 */
const longestAnswerMs = 120_000;

/** One request to append, from its first step. */
export interface SendState {
  /** The caller has given up: what is not sent yet must not be sent any more. */
  expired: boolean;
  /** The brokers may have it. */
  sent: boolean;
}

/** A request that was still unanswered when its time was over. */
interface UnansweredRequest {
  readonly records: readonly OutgoingRecord[];
  readonly answer: Promise<void>;
  /** By the clock of `performance.now`. */
  readonly waitedForUntilMs: number;
}

/**
 * Gives each request its time, and keeps the order of a partition through requests that took longer:
 * the next one waits for the answer, so that nothing is written after what came later.
 */
export class OrderedAppends {
  readonly #write: (request: AppendRequest, attempt: SendState) => Promise<void>;
  readonly #late = new Map<string, UnansweredRequest>();

  /** @param write - marks the attempt as sent when it is, and does not send an expired one */
  constructor(write: (request: AppendRequest, attempt: SendState) => Promise<void>) {
    this.#write = write;
  }

  async append(request: AppendRequest): Promise<void> {
    const { topic, partition, records, timeoutMs } = request;
    const lane = `${topic}/${partition}`;
    const deadline = performance.now() + timeoutMs;
    if (await this.#wasWrittenLate(lane, records, timeoutMs)) return;
    const attempt: SendState = { expired: false, sent: false };
    const answer = this.#write(request, attempt);
    if (await settlesWithin(answer, deadline - performance.now())) return answer;
    attempt.expired = true;
    if (!attempt.sent) throw noAnswer('STREAM_UNAVAILABLE', lane, timeoutMs);
    this.#late.set(lane, { records, answer, waitedForUntilMs: deadline + longestAnswerMs });
    throw noAnswer('EVENT_OUTCOME_UNKNOWN', lane, timeoutMs);
  }

  /** Waits for the answer to an earlier request; true when that was for these and succeeded. */
  async #wasWrittenLate(
    lane: string,
    records: readonly OutgoingRecord[],
    timeoutMs: number,
  ): Promise<boolean> {
    const late = this.#late.get(lane);
    if (!late) return false;
    // Or fewer: what was given up meanwhile is left out, and too large batches are halved.
    const isSame = records.every((record) => late.records.includes(record));
    if (!(await settlesWithin(late.answer, timeoutMs))) {
      if (performance.now() >= late.waitedForUntilMs) this.#late.delete(lane);
      throw noAnswer(isSame ? 'EVENT_OUTCOME_UNKNOWN' : 'STREAM_UNAVAILABLE', lane, timeoutMs);
    }
    this.#late.delete(lane);
    const written = await late.answer.then(
      () => true,
      () => false,
    );
    return isSame && written;
  }
}

function noAnswer(
  code: 'STREAM_UNAVAILABLE' | 'EVENT_OUTCOME_UNKNOWN',
  lane: string,
  timeoutMs: number,
): PlatformError {
  return new PlatformError(code, `no answer of Kafka for ${lane} within ${timeoutMs} ms`);
}

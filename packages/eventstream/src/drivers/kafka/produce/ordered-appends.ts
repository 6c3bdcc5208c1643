import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { AppendRequest } from '../../../driver.js';
import type { OutgoingRecord } from '../../../record.js';

/**
 * Longest time to wait for a late response, in ms. Requests time out long before; but a library
 * that forgets one must not block its partition for ever.
 */
const maxResponseMs = 120_000;

/** Progress of one request to append. */
export interface SendState {
  /** True when the caller has given up: if the request is not sent yet, it must not be sent. */
  expired: boolean;
  /** True when the brokers may have received the records. */
  sent: boolean;
}

/**
 * A function that sends records. It sets `state.sent` when it does, and sends no expired request.
 */
export type SendAppend = (request: AppendRequest, state: SendState) => Promise<void>;

/** A request that was sent and not answered within its time. */
interface UnansweredRequest {
  readonly records: readonly OutgoingRecord[];
  readonly response: Promise<void>;
  /** End of the wait for the response, by the clock of `performance.now`. */
  readonly waitUntilMs: number;
}

/**
 * Appends that have a time limit each, and keep the order of a partition when one exceeds it: the
 * next request waits for the late response, so that no record is written after a later one.
 */
export class OrderedAppends {
  readonly #send: SendAppend;
  /** By topic and partition. */
  readonly #unanswered = new Map<string, UnansweredRequest>();

  constructor(send: SendAppend) {
    this.#send = send;
  }

  async append(request: AppendRequest): Promise<void> {
    const { records, timeoutMs } = request;
    const partition = nameOf(request);
    const deadlineMs = performance.now() + timeoutMs;
    if (await this.#wasWrittenLate(request)) return;
    const state: SendState = { expired: false, sent: false };
    const response = this.#send(request, state);
    if (await settlesWithin(response, deadlineMs - performance.now())) return response;
    state.expired = true;
    if (!state.sent) throw toTimeoutError('STREAM_UNAVAILABLE', request);
    const waitUntilMs = deadlineMs + maxResponseMs;
    this.#unanswered.set(partition, { records, response, waitUntilMs });
    throw toTimeoutError('EVENT_OUTCOME_UNKNOWN', request);
  }

  /** Waits for the response to an earlier request. True if that wrote these same records. */
  async #wasWrittenLate(request: AppendRequest): Promise<boolean> {
    const partition = nameOf(request);
    const earlier = this.#unanswered.get(partition);
    if (!earlier) return false;
    // Perhaps fewer: publishers have given some up, or halved a batch that was too large.
    const isSame = request.records.every((record) => earlier.records.includes(record));
    if (!(await settlesWithin(earlier.response, request.timeoutMs))) {
      if (performance.now() >= earlier.waitUntilMs) this.#unanswered.delete(partition);
      throw toTimeoutError(isSame ? 'EVENT_OUTCOME_UNKNOWN' : 'STREAM_UNAVAILABLE', request);
    }
    this.#unanswered.delete(partition);
    const written = await earlier.response.then(
      () => true,
      () => false,
    );
    return isSame && written;
  }
}

/** Returns `topic/partition`. */
export function nameOf({ topic, partition }: Pick<AppendRequest, 'topic' | 'partition'>): string {
  return `${topic}/${partition}`;
}

function toTimeoutError(
  code: 'STREAM_UNAVAILABLE' | 'EVENT_OUTCOME_UNKNOWN',
  request: AppendRequest,
): PlatformError {
  const message = `Kafka did not answer for ${nameOf(request)} within ${request.timeoutMs} ms`;
  return new PlatformError(code, message);
}

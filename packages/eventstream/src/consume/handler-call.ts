import type { StoredRecord } from '../record.js';
import type { HandlerContext } from './registration.js';
import type { Subscriber } from './subscriber.js';

/**
 * How a call ended: `done`; `abandoned`: the callback was told to stop and did not get done, which
 * is no failure; else the error that it failed with.
 */
export type CallResult = 'done' | 'abandoned' | { readonly error: unknown };

/**
 * One call of a callback, and the context it sees. It ends when the callback does, at its deadline,
 * or when it is abandoned, whichever is first; what comes later is ignored.
 */
export class HandlerCall implements HandlerContext {
  readonly groupId: string;
  readonly record: StoredRecord;
  readonly attempt: number;
  readonly subscriber: Subscriber;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #settle: ((result: CallResult) => void) | undefined;
  #over = false;

  constructor(subscriber: Subscriber, record: StoredRecord, attempt: number) {
    this.subscriber = subscriber;
    this.groupId = subscriber.groupId;
    this.record = record;
    this.attempt = attempt;
  }

  /** Made when a callback first looks at it: most never do. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  /**
   * Calls it. A callback that returns no promise is done at once, and so is the answer.
   * @param running where calls in progress are kept, to be abandoned together
   */
  run(
    call: (ctx: HandlerContext) => unknown,
    running: Set<HandlerCall>,
  ): CallResult | Promise<CallResult> {
    // Present from the start: the callback itself may end the subscription.
    running.add(this);
    try {
      const answer = call(this);
      if (isThenable(answer)) return this.#wait(answer, running);
    } catch (error) {
      running.delete(this);
      return this.#aborted ? 'abandoned' : { error };
    }
    running.delete(this);
    return this.#over ? 'abandoned' : 'done';
  }

  /** Tells the callback to stop, and goes on waiting: when it gets done all the same, that counts. */
  cancel(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
  }

  /** The time of the call is over: it failed. */
  expire(timeoutMs: number): void {
    const error = new DOMException(`the callback took over ${timeoutMs} ms`, 'TimeoutError');
    this.#end(this.#aborted ? 'abandoned' : { error });
    this.cancel(error);
  }

  /** The record is not this consumer's any more. */
  abandon(reason: unknown): void {
    this.#end('abandoned');
    this.cancel(reason);
  }

  #end(result: CallResult): void {
    this.#over = true;
    this.#settle?.(result);
  }

  #wait(answer: PromiseLike<unknown>, running: Set<HandlerCall>): Promise<CallResult> {
    const { deadlines } = this.subscriber;
    return new Promise((resolve) => {
      deadlines.add(this);
      this.#settle = (result) => {
        this.#settle = undefined;
        deadlines.delete(this);
        running.delete(this);
        resolve(result);
      };
      answer.then(
        () => this.#settle?.('done'),
        (error: unknown) => this.#settle?.(this.#aborted ? 'abandoned' : { error }),
      );
      if (this.#over) this.#settle('abandoned');
    });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}

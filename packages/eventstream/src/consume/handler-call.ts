import type { StoredRecord } from '../record.js';
import type { HandlerContext } from './registration.js';
import type { Subscriber } from './subscriber.js';

/**
 * Outcome of a call. `done`: the handler succeeded. `abandoned`: it was asked to stop and did not
 * finish, which is no failure. Otherwise the error with which it failed.
 */
export type CallResult = 'done' | 'abandoned' | { readonly error: unknown };

/**
 * One call of a handler, and the context that the handler gets. The call ends when the handler
 * ends, at its deadline, or when it is abandoned, whichever is first. A later outcome is ignored.
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

  /** Created on first use: most handlers never read it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  /**
   * Calls the handler. If that returns no promise, the result is returned at once.
   * @param running the calls in progress, which are abandoned together
   */
  run(
    call: (ctx: HandlerContext) => unknown,
    running: Set<HandlerCall>,
  ): CallResult | Promise<CallResult> {
    // Added before the call: the handler itself may end the subscription.
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

  /** Aborts the signal and still waits for the handler: if it succeeds, its result counts. */
  cancel(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
  }

  /** Ends the call as failed, because its time is over. */
  expire(timeoutMs: number): void {
    const error = new DOMException(`the callback took over ${timeoutMs} ms`, 'TimeoutError');
    this.#end(this.#aborted ? 'abandoned' : { error });
    this.cancel(error);
  }

  /** Ends the call, because the consumer does not own the record any more. */
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

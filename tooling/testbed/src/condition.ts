/** Lets callers wait until a state that changes from time to time meets their condition. */
export class Condition {
  /** Functions that check the condition of one caller again. */
  readonly #waiters = new Set<() => void>();

  /** Must be called after every change. */
  changed(): void {
    for (const check of this.#waiters) check();
  }

  /**
   * Waits until `isSatisfied` returns true.
   * @throws Error after `timeoutMs`, with the text of `describe`; and the errors of `isSatisfied`
   */
  async waitUntil(
    isSatisfied: () => boolean,
    timeoutMs: number,
    describe: () => string,
  ): Promise<void> {
    if (isSatisfied()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      try {
        if (isSatisfied()) resolve();
      } catch (error) {
        reject(error);
      }
    };
    this.#waiters.add(check);
    const timer = setTimeout(
      () => reject(new Error(`timed out after ${timeoutMs} ms; ${describe()}`)),
      timeoutMs,
    );
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(check);
    }
  }
}

/** Lets callers wait until something that changes now and then is as they want it. */
export class Condition {
  /** Each looks again whether what it waits for is there. */
  readonly #waiters = new Set<() => void>();

  /** To be called after every change. */
  changed(): void {
    for (const lookAgain of this.#waiters) lookAgain();
  }

  /** @throws Error after `timeoutMs` with what `describe` tells; and what `isSatisfied` throws */
  async waitUntil(
    isSatisfied: () => boolean,
    timeoutMs: number,
    describe: () => string,
  ): Promise<void> {
    if (isSatisfied()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const lookAgain = (): void => {
      try {
        if (isSatisfied()) resolve();
      } catch (error) {
        reject(error);
      }
    };
    this.#waiters.add(lookAgain);
    const timer = setTimeout(
      () => reject(new Error(`waited ${timeoutMs} ms in vain; ${describe()}`)),
      timeoutMs,
    );
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(lookAgain);
    }
  }
}

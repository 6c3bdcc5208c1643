/** Lets a limited number of callers work at the same time; the others wait in order. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param permits number of callers that may work at the same time, 1 or more */
  constructor(permits: number) {
    this.#free = permits;
  }

  /** Waits for a free permit and takes it. Each permit must be returned by `release`. */
  async acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Returns a permit. The caller that has waited longest gets it. */
  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }

  /** Runs `work` while it holds a permit. Resolves and rejects as `work` does. */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    await this.acquire();
    try {
      return await work();
    } finally {
      this.release();
    }
  }
}

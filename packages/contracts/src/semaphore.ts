/** Lets a limited number of callers work at once; the others wait, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param permits callers that may work at once, 1 or more */
  constructor(permits: number) {
    this.#free = permits;
  }

  /** Resolves once a permit is free, and takes it. Each must be given back by `release`. */
  async acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a permit back, to the caller that has waited longest. */
  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }

  /** Runs `work` with a permit. Resolves and rejects as it does. */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    await this.acquire();
    try {
      return await work();
    } finally {
      this.release();
    }
  }
}

/** A caller of `acquire` that waits in the queue. */
interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** Space that a record needs. */
export interface SpaceRequest {
  readonly bytes: number;
  /** Longest wait, in ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /**
   * Called as soon as the space is acquired, before the next waiter acquires any: this keeps order.
   */
  readonly onAcquired: () => void;
}

/**
 * Bound on the bytes that wait for their acknowledgement. Callers that find no space wait in a
 * queue, first come, first served.
 */
export class BufferSpace {
  readonly #maxBytes: number;
  readonly #waiters = new Set<Waiter>();
  readonly #idle: (() => void)[] = [];
  #usedBytes = 0;
  #records = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Number of records that were accepted and are not settled. */
  get records(): number {
    return this.#records;
  }

  /** Acquires space if enough is free and no other caller waits for it. */
  tryAcquire(bytes: number): boolean {
    if (this.#waiters.size > 0 || !this.#fits(bytes)) return false;
    this.#count(bytes);
    return true;
  }

  /** Resolves when the space is acquired. Rejects after the time, or when the signal is aborted. */
  acquire({ bytes, timeoutMs, signal, onAcquired }: SpaceRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', leave);
        this.#waiters.delete(waiter);
      };
      const admit = (): void => {
        end();
        this.#count(bytes);
        onAcquired();
        resolve();
      };
      const refuse = (reason: unknown): void => {
        end();
        reject(reason);
      };
      const leave = (): void => {
        refuse(signal?.reason);
        this.#admitWaiters();
      };
      const expire = (): void => {
        refuse(new Error(`no space in the buffer within ${timeoutMs} ms`));
        this.#admitWaiters();
      };
      const waiter: Waiter = { bytes, admit, refuse };
      const timer = setTimeout(expire, timeoutMs);
      signal?.addEventListener('abort', leave);
      this.#waiters.add(waiter);
    });
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#records -= 1;
    if (this.#waiters.size > 0) this.#admitWaiters();
    if (this.#records === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Refuses all waiters. */
  refuseWaiters(reason: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(reason);
  }

  /** Resolves when all accepted records are settled. */
  async whenIdle(): Promise<void> {
    if (this.#records === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #admitWaiters(): void {
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) return;
      waiter.admit();
    }
  }

  #count(bytes: number): void {
    this.#usedBytes += bytes;
    this.#records += 1;
  }

  /** True if there is space. A record larger than the whole buffer is accepted when it is empty. */
  #fits(bytes: number): boolean {
    return this.#records === 0 || this.#usedBytes + bytes <= this.#maxBytes;
  }
}

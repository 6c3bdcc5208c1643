interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

export interface SpaceRequest {
  readonly bytes: number;
  /** How long to wait for it, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Called when the space is taken, before anybody else can take any: so order is kept. */
  readonly onAcquired: () => void;
}

/**
 * Bounds the bytes that wait for their acknowledgement. Who finds no space waits for its turn,
 * first come first served.
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

  /** Records accepted and not settled. */
  get records(): number {
    return this.#records;
  }

  /** Takes space when there is some and nobody waits for it. */
  tryAcquire(bytes: number): boolean {
    if (this.#waiters.size > 0 || !this.#fits(bytes)) return false;
    this.#take(bytes);
    return true;
  }

  /** Resolves when the space is taken. Rejects when that was not in time, or the signal aborted. */
  acquire({ bytes, timeoutMs, signal, onAcquired }: SpaceRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', leave);
        this.#waiters.delete(waiter);
      };
      const admit = (): void => {
        end();
        this.#take(bytes);
        onAcquired();
        resolve();
      };
      const refuse = (reason: unknown): void => {
        end();
        reject(reason);
      };
      const leave = (): void => {
        refuse(signal?.reason);
        this.#admit();
      };
      const expire = (): void => {
        refuse(new Error(`no space in the buffer within ${timeoutMs} ms`));
        this.#admit();
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
    if (this.#waiters.size > 0) this.#admit();
    if (this.#records === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Refuses all that wait. */
  refuseWaiters(reason: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(reason);
  }

  /** Resolves when everything is settled. */
  async whenIdle(): Promise<void> {
    if (this.#records === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #admit(): void {
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) return;
      waiter.admit();
    }
  }

  #take(bytes: number): void {
    this.#usedBytes += bytes;
    this.#records += 1;
  }

  /** What is larger than the whole buffer gets in when it is empty. */
  #fits(bytes: number): boolean {
    return this.#records === 0 || this.#usedBytes + bytes <= this.#maxBytes;
  }
}

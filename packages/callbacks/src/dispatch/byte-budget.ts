interface Waiter {
  readonly owner: string;
  readonly bytes: number;
  readonly admit: () => void;
}

/** Share of the budget that one owner may use, so that something is left for others. */
const maxOwnerShare = 1 / 2;

/**
 * Semaphore that counts bytes. A caller that finds too few free waits, in order of arrival, except
 * that an owner who already uses its share does not block others. A request for more bytes than the
 * budget, or than an owner's share of it, waits until it can use the budget, or the share, alone.
 */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #usedBy = new Map<string, number>();
  readonly #waiting = new Set<Waiter>();
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** Acquires bytes of the budget; resolves to false when too few were released within `waitMs`. */
  acquire(owner: string, bytes: number, waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const waiter: Waiter = {
        owner,
        bytes,
        admit: () => {
          clearTimeout(timer);
          resolve(true);
        },
      };
      this.#waiting.add(waiter);
      this.#admit();
      if (!this.#waiting.has(waiter)) return;
      timer = setTimeout(
        () => {
          this.#waiting.delete(waiter);
          resolve(false);
          // It may have blocked smaller requests.
          this.#admit();
        },
        Math.max(0, waitMs),
      );
    });
  }

  /** Returns bytes to the budget. */
  release(owner: string, bytes: number): void {
    this.#used -= bytes;
    const left = (this.#usedBy.get(owner) ?? 0) - bytes;
    if (left > 0) this.#usedBy.set(owner, left);
    else this.#usedBy.delete(owner);
    this.#admit();
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      const { owner, bytes } = waiter;
      const usedByOwner = this.#usedBy.get(owner) ?? 0;
      if (usedByOwner > 0 && usedByOwner + bytes > this.#maxBytes * maxOwnerShare) continue;
      // Later requests wait too: otherwise small ones could keep a large one waiting for ever.
      if (this.#used > 0 && this.#used + bytes > this.#maxBytes) return;
      this.#waiting.delete(waiter);
      this.#used += bytes;
      this.#usedBy.set(owner, usedByOwner + bytes);
      waiter.admit();
    }
  }
}

interface Waiter {
  readonly owner: string;
  readonly bytes: number;
  readonly admit: () => void;
}

/** The part of the room that one owner may take, so that others find some. */
const ownersShare = 1 / 2;

/**
 * Room for so many bytes. Who finds none waits, in order, but not behind an owner that has its share
 * already. What is larger than the room, or than a share of it, gets it alone.
 */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #usedBy = new Map<string, number>();
  readonly #waiting = new Set<Waiter>();
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are taken. */
  get used(): number {
    return this.#used;
  }

  /** Takes room; false when none came free within `waitMs`. */
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
          // It may have stood in the way of smaller ones.
          this.#admit();
        },
        Math.max(0, waitMs),
      );
    });
  }

  /** Gives back what was taken. */
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
      if (usedByOwner > 0 && usedByOwner + bytes > this.#maxBytes * ownersShare) continue;
      // Those behind it wait too, or large ones would never have their turn.
      if (this.#used > 0 && this.#used + bytes > this.#maxBytes) return;
      this.#waiting.delete(waiter);
      this.#used += bytes;
      this.#usedBy.set(owner, usedByOwner + bytes);
      waiter.admit();
    }
  }
}

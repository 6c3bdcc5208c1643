const slots = 60;
const shortestTickMs = 10;

/** Connection as the wheel sees it. */
export interface KeptAlive {
  /** Place in the wheel, which spreads connections evenly. */
  slot: number;
  /** Is called once in the interval. */
  keepAlive(now: number): void;
}

/** One timer for the `ka` frames and pings of all connections, spread over the interval. */
export class KeepAliveWheel {
  readonly #slots: Set<KeptAlive>[];
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  #current = 0;

  /** @param intervalMs time between two calls of each connection's `keepAlive` */
  constructor(intervalMs: number) {
    const count = Math.max(1, Math.min(slots, Math.floor(intervalMs / shortestTickMs)));
    this.#slots = Array.from({ length: count }, () => new Set<KeptAlive>());
    this.#timer = setInterval(tickWheel, intervalMs / count, this).unref();
  }

  add(connection: KeptAlive): void {
    // One after the other fills the slots evenly, also if all connections come at once.
    this.#next = (this.#next + 1) % this.#slots.length;
    connection.slot = this.#next;
    this.#slots[this.#next]?.add(connection);
  }

  delete(connection: KeptAlive): void {
    this.#slots[connection.slot]?.delete(connection);
  }

  tick(): void {
    const now = Date.now();
    this.#current = (this.#current + 1) % this.#slots.length;
    for (const connection of this.#slots[this.#current] ?? []) connection.keepAlive(now);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function tickWheel(wheel: KeepAliveWheel): void {
  wheel.tick();
}

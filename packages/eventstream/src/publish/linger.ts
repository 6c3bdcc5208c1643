/** What is sent when its time to wait for more is over. */
export interface Lingering {
  send(): void;
}

/**
 * One timer for all lanes: those that wait are sent together when the first one's time is over,
 * so that a driver can put them into one request.
 */
export class LingerTimer {
  readonly #ms: number;
  #waiting: Lingering[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Sends `lane` within the linger time. */
  add(lane: Lingering): void {
    this.#waiting.push(lane);
    this.#timer ??= setTimeout(() => this.flush(), this.#ms);
  }

  /** Sends all that wait now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lanes = this.#waiting;
    this.#waiting = [];
    for (const lane of lanes) lane.send();
  }
}

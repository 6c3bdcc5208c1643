/** Where it is shown: a terminal has one line that changes, everything else gets a line a second. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const terminalEveryMs = 100;
const plainEveryMs = 1_000;
const eraseLine = '\r\x1b[2K';

/** Shows how far something is while it is open. */
export class ProgressDisplay {
  readonly #output: ProgressOutput;
  readonly #render: () => string;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param render gives the line */
  constructor(output: ProgressOutput, render: (elapsedMs: number) => string) {
    this.#output = output;
    this.#render = () => render(this.elapsedMs);
    this.#timer = setInterval(() => this.#show(), output.isTTY ? terminalEveryMs : plainEveryMs);
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Tells of something that happened, on a line of its own. */
  note(text: string): void {
    const line = `${seconds(this.elapsedMs)}  * ${text}\n`;
    this.#output.write(this.#output.isTTY ? `${eraseLine}${line}` : line);
  }

  /** Shows where it ended. May be called twice. */
  close(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#show();
    if (this.#output.isTTY) this.#output.write('\n');
  }

  #show(): void {
    const { isTTY, columns = 80 } = this.#output;
    // A line that wraps could not be erased.
    const line = this.#render();
    this.#output.write(isTTY ? `${eraseLine}${line.slice(0, columns - 1)}` : `${line}\n`);
  }
}

/** With a comma between thousands. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Such as `  3.2 s`: as wide until a quarter of an hour has passed. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(5)} s`;
}

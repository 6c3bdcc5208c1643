/** Output of progress. A terminal shows one line that changes, anything else a line per second. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const terminalEveryMs = 100;
const plainEveryMs = 1_000;
const eraseLine = '\r\x1b[2K';

/** Display of progress, refreshed by a timer until it is closed. */
export class ProgressDisplay {
  readonly #output: ProgressOutput;
  readonly #render: () => string;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param render returns the line to show */
  constructor(output: ProgressOutput, render: (elapsedMs: number) => string) {
    this.#output = output;
    this.#render = () => render(this.elapsedMs);
    this.#timer = setInterval(() => this.#show(), output.isTTY ? terminalEveryMs : plainEveryMs);
  }

  /** Time since the display was opened, in ms. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Prints a message on a line of its own. */
  note(text: string): void {
    const line = `${formatSeconds(this.elapsedMs)}  * ${text}\n`;
    this.#output.write(this.#output.isTTY ? `${eraseLine}${line}` : line);
  }

  /** Shows the final progress and stops. Idempotent. */
  close(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#show();
    if (this.#output.isTTY) this.#output.write('\n');
  }

  #show(): void {
    const { isTTY, columns = 80 } = this.#output;
    // Cut to the width of the terminal: a line that wraps could not be erased.
    const line = this.#render();
    this.#output.write(isTTY ? `${eraseLine}${line.slice(0, columns - 1)}` : `${line}\n`);
  }
}

/** Formats a number with commas between thousands. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Formats milliseconds as seconds: `  3.2 s`. The width is constant up to 999.9 seconds. */
export function formatSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(5)} s`;
}

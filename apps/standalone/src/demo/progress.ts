/** How far the demo is. */
export interface DemoProgress {
  readonly accepted: number;
  readonly delivered: number;
  readonly retried: number;
  readonly inFlight: number;
  readonly queuesDone: number;
}

/** What the progress is out of. */
export interface DemoTotals {
  readonly callbacks: number;
  readonly queues: number;
}

/** Where it is shown: a terminal has one line that changes, everything else gets a line a second. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const terminalEveryMs = 100;
const plainEveryMs = 1_000;
const eraseLine = '\r\x1b[2K';

/** Shows the progress while it is open. */
export class ProgressDisplay {
  readonly #output: ProgressOutput;
  readonly #render: () => string;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(output: ProgressOutput, totals: DemoTotals, read: () => DemoProgress) {
    this.#output = output;
    this.#render = () => renderProgress(read(), totals, this.elapsedMs);
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

/** One line, such as ` 3.2 s  accepted 640/1,000  delivered 512  …`. */
export function renderProgress(
  progress: DemoProgress,
  totals: DemoTotals,
  elapsedMs: number,
): string {
  const { accepted, delivered, retried, inFlight, queuesDone } = progress;
  const width = count(totals.callbacks).length;
  return [
    seconds(elapsedMs),
    `accepted ${count(accepted).padStart(width)}/${count(totals.callbacks)}`,
    `delivered ${count(delivered).padStart(width)}`,
    `retried ${count(retried).padStart(width)}`,
    `in flight ${count(inFlight).padStart(3)}`,
    `queues done ${queuesDone}/${totals.queues}`,
  ].join('  ');
}

/** With a comma between thousands. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(5)} s`;
}

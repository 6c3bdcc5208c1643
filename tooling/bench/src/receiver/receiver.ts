import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type ReceiverCommand,
  type ReceiverCounts,
  type ReceiverReport,
  receiverPaths,
} from './protocol.js';

interface Awaited {
  readonly matches: (report: ReceiverReport) => boolean;
  readonly resolve: (report: ReceiverReport) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the receiver. @throws Error when its process ends before it listens. */
export async function startReceiver(): Promise<Receiver> {
  const script = fileURLToPath(new URL('process.js', import.meta.url));
  const receiver = new Receiver(fork(script, { serialization: 'advanced' }));
  await receiver.listening();
  return receiver;
}

/** The one receiver that all contenders deliver to, in a process of its own. */
export class Receiver {
  readonly #child: ChildProcess;
  #awaited: Awaited[] = [];
  #origin = '';
  #otherOrigin = '';

  /** Use `startReceiver`. */
  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: ReceiverReport) => this.#settle(report));
    child.once('exit', () => {
      for (const { reject } of this.#awaited) reject(new Error('the receiver ended'));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Answers 200. */
  get url(): string {
    return this.#origin + receiverPaths.deliver;
  }

  /** Answers 503, on another host than `url`. */
  get unavailableUrl(): string {
    return this.#otherOrigin + receiverPaths.unavailable;
  }

  /** Never answers, on another host than `url`. */
  get hangUrl(): string {
    return this.#otherOrigin + receiverPaths.hang;
  }

  async listening(): Promise<void> {
    const { origin, otherOrigin } = await this.#next('listening');
    this.#origin = origin;
    this.#otherOrigin = otherOrigin;
  }

  /** Zeroes the counts; counts that are waited for are then never reached. */
  async reset(options: { latencies?: boolean } = {}): Promise<void> {
    this.#awaited = [];
    const done = this.#next('reset');
    this.#tell({ type: 'reset', latencies: options.latencies ?? false });
    await done;
  }

  /** The moment, in ns of `process.hrtime.bigint()`, at which `count` were delivered. */
  async reached(count: number): Promise<bigint> {
    const reached = this.#next('reached', (report) => report.count === count);
    this.#tell({ type: 'watch', count });
    return (await reached).atNs;
  }

  async counts(): Promise<ReceiverCounts> {
    const counts = this.#next('counts');
    this.#tell({ type: 'counts' });
    return (await counts).counts;
  }

  /** Milliseconds from sending to arrival, of all since a `reset` that asked for them. */
  async latenciesMs(): Promise<readonly number[]> {
    const latencies = this.#next('latencies');
    this.#tell({ type: 'latencies' });
    return (await latencies).latenciesMs;
  }

  close(): void {
    this.#awaited = [];
    if (this.#child.connected) this.#child.disconnect();
  }

  #tell(command: ReceiverCommand): void {
    this.#child.send(command);
  }

  #settle(report: ReceiverReport): void {
    const index = this.#awaited.findIndex(({ matches }) => matches(report));
    if (index >= 0) this.#awaited.splice(index, 1)[0]?.resolve(report);
  }

  #next<Type extends ReceiverReport['type']>(
    type: Type,
    accepts: (report: Extract<ReceiverReport, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<ReceiverReport, { type: Type }>> {
    type Wanted = Extract<ReceiverReport, { type: Type }>;
    const isWanted = (report: ReceiverReport): report is Wanted =>
      report.type === type && accepts(report as Wanted);
    return new Promise((resolve, reject) => {
      this.#awaited.push({
        matches: isWanted,
        resolve: (report) => resolve(report as Wanted),
        reject,
      });
    });
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type ReceiverCommand,
  type ReceiverCounts,
  type ReceiverReport,
  receiverPaths,
} from './protocol.js';

/** A caller that waits for a report. */
interface PendingReport {
  readonly matches: (report: ReceiverReport) => boolean;
  readonly resolve: (report: ReceiverReport) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the receiver. @throws Error if its process ends before it listens */
export async function startReceiver(): Promise<Receiver> {
  const script = fileURLToPath(new URL('process.js', import.meta.url));
  const receiver = new Receiver(fork(script, { serialization: 'advanced' }));
  await receiver.listening();
  return receiver;
}

/** The receiver that all contenders deliver to. It runs in a separate process. */
export class Receiver {
  readonly #child: ChildProcess;
  #pending: PendingReport[] = [];
  #origin = '';
  #otherOrigin = '';

  /** Use `startReceiver`. */
  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: ReceiverReport) => this.#settle(report));
    child.once('exit', () => {
      for (const { reject } of this.#pending) reject(new Error('the receiver ended'));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** URL with the response 200. */
  get url(): string {
    return this.#origin + receiverPaths.deliver;
  }

  /** URL with the response 503, on another host than `url`. */
  get unavailableUrl(): string {
    return this.#otherOrigin + receiverPaths.unavailable;
  }

  /** URL without a response, on another host than `url`. */
  get hangUrl(): string {
    return this.#otherOrigin + receiverPaths.hang;
  }

  /** Resolves when the receiver listens. */
  async listening(): Promise<void> {
    const { origin, otherOrigin } = await this.#next('listening');
    this.#origin = origin;
    this.#otherOrigin = otherOrigin;
  }

  /** Resets the counts. Promises of `reached` that are pending never settle then. */
  async reset(options: { latencies?: boolean } = {}): Promise<void> {
    this.#pending = [];
    const done = this.#next('reset');
    this.#send({ type: 'reset', latencies: options.latencies ?? false });
    await done;
  }

  /** Resolves to the moment at which `count` were delivered, in ns of `process.hrtime.bigint()`. */
  async reached(count: number): Promise<bigint> {
    const reached = this.#next('reached', (report) => report.count === count);
    this.#send({ type: 'watch', count });
    return (await reached).atNs;
  }

  async counts(): Promise<ReceiverCounts> {
    const counts = this.#next('counts');
    this.#send({ type: 'counts' });
    return (await counts).counts;
  }

  /** Returns the times from sending to arrival, in ms, since a `reset` with `latencies`. */
  async latenciesMs(): Promise<readonly number[]> {
    const latencies = this.#next('latencies');
    this.#send({ type: 'latencies' });
    return (await latencies).latenciesMs;
  }

  close(): void {
    this.#pending = [];
    if (this.#child.connected) this.#child.disconnect();
  }

  #send(command: ReceiverCommand): void {
    this.#child.send(command);
  }

  #settle(report: ReceiverReport): void {
    const index = this.#pending.findIndex(({ matches }) => matches(report));
    if (index >= 0) this.#pending.splice(index, 1)[0]?.resolve(report);
  }

  #next<Type extends ReceiverReport['type']>(
    type: Type,
    accepts: (report: Extract<ReceiverReport, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<ReceiverReport, { type: Type }>> {
    type Wanted = Extract<ReceiverReport, { type: Type }>;
    const isWanted = (report: ReceiverReport): report is Wanted =>
      report.type === type && accepts(report as Wanted);
    return new Promise((resolve, reject) => {
      this.#pending.push({
        matches: isWanted,
        resolve: (report) => resolve(report as Wanted),
        reject,
      });
    });
  }
}

import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** A fault for the next calls. */
export interface InjectedFault {
  readonly code: ErrorCode;
  /** Number of calls that fail. Default 1. */
  readonly times?: number;
  /** Topic, as on the wire, whose calls fail. Default: any. */
  readonly topic?: string;
  /**
   * True if the work is done although the call fails, as if only its answer was lost. Default
   * false.
   */
  readonly stored?: boolean;
}

/** Faults that are not used up yet. */
export class FaultQueue {
  readonly #faults: { fault: InjectedFault; left: number }[] = [];

  add(fault: InjectedFault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 });
  }

  /** Runs `work`, unless there is a fault for this topic. @throws PlatformError of the fault */
  run(topic: string, work: () => void): void {
    const found = this.#faults.find(
      ({ fault, left }) => left > 0 && (fault.topic === undefined || fault.topic === topic),
    );
    if (found === undefined || found.fault.stored === true) work();
    if (found === undefined) return;
    found.left -= 1;
    throw new PlatformError(found.fault.code, `injected fault on ${topic}`);
  }
}

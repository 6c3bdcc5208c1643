import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** Calls that go wrong on purpose. */
export interface InjectedFault {
  readonly code: ErrorCode;
  /** How many of the next calls fail. Default 1. */
  readonly times?: number;
  /** Only calls for this topic, as on the wire. Default: any. */
  readonly topic?: string;
  /** Does the work nevertheless, as when only the answer got lost. Default false. */
  readonly stored?: boolean;
}

/** Faults that wait for the calls they are meant for. */
export class FaultQueue {
  readonly #faults: { fault: InjectedFault; left: number }[] = [];

  add(fault: InjectedFault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 });
  }

  /** Runs `work`, or the fault that waits for this topic. @throws PlatformError of the fault */
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

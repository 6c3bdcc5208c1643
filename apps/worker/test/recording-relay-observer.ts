import type { PlatformError } from '@posthaste/contracts';
import type { LogPosition, RelayObserver } from '../src/relay/relay-observer.js';

/** Observer that keeps everything a relay reports. */
export class RecordingRelayObserver implements RelayObserver {
  publishedRecords = 0;
  readonly requests: number[] = [];
  readonly failures: string[] = [];
  readonly refusals: (LogPosition & { readonly code: string })[] = [];
  readonly skips: bigint[] = [];
  readonly interruptions: unknown[] = [];

  readonly published = (_topic: string, records: number): void => {
    this.publishedRecords += records;
    this.requests.push(records);
  };
  readonly failed = (_topic: string, { code }: PlatformError): void =>
    void this.failures.push(code);
  readonly refused = (position: LogPosition, { code }: PlatformError): void => {
    const { topic, partition, offset } = position;
    this.refusals.push({
      topic,
      ...(partition === undefined ? {} : { partition }),
      ...(offset === undefined ? {} : { offset }),
      code,
    });
  };
  readonly skipped = (_range: object, records: bigint): void => void this.skips.push(records);
  readonly interrupted = (_topic: string, error: unknown): void =>
    void this.interruptions.push(error);
}

import type { PlatformError } from '@posthaste/contracts';
import type { RefusedPlace, RelayObserver } from '../src/relay/relay-observer.js';

/** What a relay told. */
export class RelayNotes implements RelayObserver {
  publishedRecords = 0;
  readonly requests: number[] = [];
  readonly failures: string[] = [];
  readonly refusals: (RefusedPlace & { readonly code: string })[] = [];
  readonly skips: bigint[] = [];
  readonly interruptions: unknown[] = [];

  readonly published = (_topic: string, records: number): void => {
    this.publishedRecords += records;
    this.requests.push(records);
  };
  readonly failed = (_topic: string, { code }: PlatformError): void =>
    void this.failures.push(code);
  readonly refused = (place: RefusedPlace, { code }: PlatformError): void => {
    const { topic, partition, offset } = place;
    this.refusals.push({
      topic,
      ...(partition === undefined ? {} : { partition }),
      ...(offset === undefined ? {} : { offset }),
      code,
    });
  };
  readonly skipped = (_place: object, records: bigint): void => void this.skips.push(records);
  readonly interrupted = (_topic: string, error: unknown): void =>
    void this.interruptions.push(error);
}

import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import { afterEach, beforeEach, vi } from 'vitest';
import type { AppendRequest } from '../src/driver.js';
import type { PublishObserver } from '../src/publish/publish-observer.js';
import type { PublisherOptions } from '../src/publish/publish-options.js';
import { Publisher } from '../src/publish/publisher.js';
import type { OutgoingRecord } from '../src/record.js';

/** Topic of the records of these tests. */
export const topic = 'orders';

/** Stream that keeps appended records, and fails as scripted. */
export class ScriptedStream {
  readonly appended: { partition: number; texts: string[] }[] = [];
  readonly tries: AppendRequest[] = [];
  partitions = 1;
  /** Outcomes of the next tries. All tries after them succeed. */
  script: (ErrorCode | 'hang')[] = [];
  /** If set, every try waits until it resolves. */
  hold: Promise<void> | undefined;
  maxBytes = Number.POSITIVE_INFINITY;

  partitionCount = async (): Promise<number> => this.partitions;

  append = async (request: AppendRequest): Promise<void> => {
    this.tries.push(request);
    const { partition, records } = request;
    const step = this.script.shift();
    if (step === 'hang') return new Promise(() => undefined);
    if (step !== undefined) throw new PlatformError(step, `scripted ${step}`);
    await this.hold;
    if (records.some(({ value }) => (value?.length ?? 0) > this.maxBytes)) {
      throw new PlatformError('EVENT_TOO_LARGE', 'scripted');
    }
    this.appended.push({ partition, texts: records.map(({ value }) => String(value)) });
  };

  get texts(): string[] {
    return this.appended.flatMap(({ texts }) => texts);
  }
}

/** Returns a record whose value is the text. */
export function record(text: string, key: Buffer | null = Buffer.from('k')): OutgoingRecord {
  return { key, value: Buffer.from(text), headers: {} };
}

/** Creates a publisher on the scripted stream, without jitter. */
export function publisherOf(
  stream: ScriptedStream,
  options: PublisherOptions = {},
  observer?: PublishObserver,
): Publisher {
  return new Publisher({ driver: stream, observer, random: () => 0.5 }, options);
}

/** Returns the error codes of the promises, or `ok`. Never rejects. */
export function outcomes(sent: readonly Promise<void>[]): Promise<string[]> {
  const code = (error: unknown): string => (error as PlatformError).code;
  return Promise.all(sent.map((promise) => promise.then(() => 'ok', code)));
}

/** Fakes timers and clocks in every test of the file. Time passes only when a test advances it. */
export function useManualClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

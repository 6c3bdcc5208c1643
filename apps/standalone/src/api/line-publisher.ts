import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError, type ProblemDetails, parseJsonWithDigits } from '@posthaste/contracts';
import type { ApiClient } from './api-client.js';

/** Options of `publishLines`. */
export interface PublishLinesOptions {
  readonly api: ApiClient;
  /** Topic of events that name none. */
  readonly topic: string;
  /** Lines with one event in JSON each; empty lines are skipped. */
  readonly lines: AsyncIterable<string>;
  /** Most events per second. Default: no limit. */
  readonly ratePerSecond?: number | undefined;
  /**
   * Key under which the same lines can be published again without duplicates, at the same rate.
   * Default: none.
   */
  readonly idempotencyKey?: string | undefined;
  /** Called for a line that is not JSON, or that the gateway refused. The first line is 1. */
  readonly onRefused: (line: number, reason: string) => void;
  /** Called after each call of the gateway. */
  readonly onProgress: (progress: PublishProgress) => void;
}

/** Number of lines that were published and refused so far. */
export interface PublishProgress {
  readonly published: number;
  readonly refused: number;
}

/** Event of a line. */
interface ParsedLine {
  readonly number: number;
  readonly event: unknown;
}

/** Answer of the gateway: the result of each event, in order. */
interface PublishResults {
  readonly items: readonly { readonly status: number; readonly problem?: ProblemDetails }[];
}

const maxLinesPerCall = 200;
/** Below the default body limit of gateways, unless one line alone is larger. */
const maxBytesPerCall = 700_000;
/** Least calls per second when there is a rate. */
const callsPerSecond = 4;

/** Publishes events in order, many in one call. @throws PlatformError when the gateway fails */
export async function publishLines(options: PublishLinesOptions): Promise<PublishProgress> {
  const { ratePerSecond = Number.POSITIVE_INFINITY, onProgress } = options;
  const startedAt = performance.now();
  let progress: PublishProgress = { published: 0, refused: 0 };
  for await (const batch of toBatches(options)) {
    const refused = await publishBatch(options, batch);
    const { lines } = batch;
    progress = {
      published: progress.published + lines.length - refused,
      refused: progress.refused + refused + batch.unreadable,
    };
    onProgress(progress);
    const dueMs = (progress.published / ratePerSecond) * 1_000 - (performance.now() - startedAt);
    if (dueMs > 0) await sleep(dueMs);
  }
  return progress;
}

/** Lines of one call. */
interface Batch {
  readonly lines: readonly ParsedLine[];
  /** Number of lines before or between them that are not JSON. */
  readonly unreadable: number;
}

async function* toBatches({
  lines,
  ratePerSecond,
  onRefused,
}: PublishLinesOptions): AsyncGenerator<Batch, void> {
  const perCall = Math.ceil((ratePerSecond ?? Number.POSITIVE_INFINITY) / callsPerSecond);
  const maxLines = Math.min(maxLinesPerCall, perCall);
  let batch: ParsedLine[] = [];
  let bytes = 0;
  let unreadable = 0;
  let number = 0;
  const flush = (): Batch => {
    const flushed = { lines: batch, unreadable };
    batch = [];
    bytes = 0;
    unreadable = 0;
    return flushed;
  };
  for await (const text of lines) {
    number += 1;
    if (text.trim() === '') continue;
    const event = toEvent(text);
    if (event === undefined) {
      onRefused(number, 'is not JSON');
      unreadable += 1;
      continue;
    }
    if (batch.length > 0 && bytes + text.length > maxBytesPerCall) yield flush();
    batch.push({ number, event });
    bytes += text.length;
    if (batch.length >= maxLines) yield flush();
  }
  if (batch.length > 0 || unreadable > 0) yield flush();
}

/** Parses the event of a line. Accepts the output of `events tail --json` too, with its key. */
function toEvent(text: string): unknown {
  try {
    const value = parseJsonWithDigits(text);
    if (typeof value !== 'object' || value === null || !('event' in value)) return value;
    const { event, key } = value as { readonly event: unknown; readonly key?: unknown };
    return typeof event === 'object' && event !== null ? withKey(event, key) : value;
  } catch {
    return undefined;
  }
}

/** Adds the key of a record to its event. A CloudEvent has it in `partitionkey`, or it is the id. */
function withKey(event: object, key: unknown): object {
  if (!('specversion' in event)) return { ...event, key };
  const isOwnKey = key === null || ('id' in event && event.id === key);
  return isOwnKey || 'partitionkey' in event ? event : { ...event, partitionkey: key };
}

/** Publishes one batch and returns the number of refused events. */
async function publishBatch(
  { api, topic, idempotencyKey, onRefused }: PublishLinesOptions,
  { lines }: Batch,
): Promise<number> {
  const [first] = lines;
  if (!first) return 0;
  const query = new URLSearchParams({ topic });
  const key = idempotencyKey && `${idempotencyKey}.${first.number}`;
  try {
    const { items } = await api.call<PublishResults>('POST', `/v1/events?${query}`, {
      body: lines.map(({ event }) => event),
      ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    });
    let refused = 0;
    for (const [index, { problem }] of items.entries()) {
      if (!problem) continue;
      refused += 1;
      onRefused(lines[index]?.number ?? 0, `${problem.detail} (${problem.code})`);
    }
    return refused;
  } catch (error) {
    // One line that is too large must not stop the others.
    if (!(error instanceof PlatformError && error.type === 'too_large' && lines.length === 1)) {
      throw error;
    }
    onRefused(first.number, `${error.message} (${error.code})`);
    return 1;
  }
}

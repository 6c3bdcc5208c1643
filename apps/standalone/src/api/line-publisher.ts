import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError, type ProblemDetails, parseJsonWithBigints } from '@posthaste/contracts';
import type { ApiClient } from './api-client.js';

export interface LinePublishing {
  readonly api: ApiClient;
  /** For events that name none. */
  readonly topic: string;
  /** Each an event in JSON; empty ones are passed over. */
  readonly lines: AsyncIterable<string>;
  /** Events a second at most. Default: as fast as it goes. */
  readonly ratePerSecond?: number | undefined;
  /** Makes it safe to publish the same lines again, at the same rate. */
  readonly idempotencyKey?: string | undefined;
  /** Told of a line that is no event, or was refused. The first is 1. */
  readonly onRefused: (line: number, reason: string) => void;
  /** Told how far it is. */
  readonly onProgress: (progress: LineProgress) => void;
}

export interface LineProgress {
  readonly published: number;
  readonly refused: number;
}

interface Line {
  readonly number: number;
  readonly event: unknown;
}

interface ListAnswer {
  readonly items: readonly { readonly status: number; readonly problem?: ProblemDetails }[];
}

const maxLinesPerCall = 200;
/** Below the size that gateways take, unless one line alone is above it. */
const maxBytesPerCall = 700_000;
/** At a rate, calls a second at least. */
const callsPerSecond = 4;

/** Publishes line after line, many in one call. @throws PlatformError when the gateway fails */
export async function publishLines(publishing: LinePublishing): Promise<LineProgress> {
  const { ratePerSecond = Number.POSITIVE_INFINITY, onProgress } = publishing;
  const startedAt = performance.now();
  let progress: LineProgress = { published: 0, refused: 0 };
  for await (const batch of toBatches(publishing)) {
    const refused = await publishBatch(publishing, batch);
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

interface Batch {
  readonly lines: readonly Line[];
  /** Lines before or between them that are no JSON. */
  readonly unreadable: number;
}

async function* toBatches({
  lines,
  ratePerSecond,
  onRefused,
}: LinePublishing): AsyncGenerator<Batch, void> {
  const perSlot = Math.ceil((ratePerSecond ?? Number.POSITIVE_INFINITY) / callsPerSecond);
  const maxLines = Math.min(maxLinesPerCall, perSlot);
  let batch: Line[] = [];
  let bytes = 0;
  let unreadable = 0;
  let number = 0;
  const take = (): Batch => {
    const taken = { lines: batch, unreadable };
    batch = [];
    bytes = 0;
    unreadable = 0;
    return taken;
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
    if (batch.length > 0 && bytes + text.length > maxBytesPerCall) yield take();
    batch.push({ number, event });
    bytes += text.length;
    if (batch.length >= maxLines) yield take();
  }
  if (batch.length > 0 || unreadable > 0) yield take();
}

/** The event of a line. What `events tail --json` prints is taken too, with its key. */
function toEvent(text: string): unknown {
  try {
    const value = parseJsonWithBigints(text);
    if (typeof value !== 'object' || value === null || !('event' in value)) return value;
    const { event, key } = value as { readonly event: unknown; readonly key?: unknown };
    return typeof event === 'object' ? { ...event, key } : value;
  } catch {
    return undefined;
  }
}

/** @returns how many were refused */
async function publishBatch(
  { api, topic, idempotencyKey, onRefused }: LinePublishing,
  { lines }: Batch,
): Promise<number> {
  const [first] = lines;
  if (!first) return 0;
  const query = new URLSearchParams({ topic });
  const key = idempotencyKey && `${idempotencyKey}.${first.number}`;
  try {
    const { items } = await api.call<ListAnswer>('POST', `/v1/events?${query}`, {
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
    // One line that is too large must not keep back the others.
    if (!(error instanceof PlatformError && error.type === 'too_large' && lines.length === 1)) {
      throw error;
    }
    onRefused(first.number, `${error.message} (${error.code})`);
    return 1;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { ApiClient } from './api-client.js';
import { readServerSentEvents } from './server-sent-events.js';

/** Which events are followed. */
export interface FollowedQuery {
  /** Of `/v1/events`; asked for every connection. */
  readonly current: URLSearchParams;
  /** Resolves when there is another one, or the signal is aborted. */
  changed(signal: AbortSignal): Promise<void>;
}

export interface FollowOptions {
  readonly api: ApiClient;
  readonly query: FollowedQuery;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told once that the connection was lost, whenever that happens: it is tried again. */
  readonly onLost: (reason: string) => void;
}

/** Between two tries to reach a gateway that is away, in ms. */
const retryMs = 1_000;

/**
 * The events that a gateway brings as they happen, as JSON texts, until the signal ends it. Goes on
 * after the last one when the connection is lost or the gateway is started again.
 * @throws PlatformError what the gateway refuses
 */
export async function* followEvents({
  api,
  query,
  signal,
  onLost,
}: FollowOptions): AsyncGenerator<string, void> {
  let lastId = '';
  let isLost = false;
  while (!signal.aborted) {
    let reason = 'the gateway ended the connection';
    const change = new AbortController();
    let isWatched = false;
    try {
      const body = await api.open(`/v1/events?${query.current}`, {
        accept: 'text/event-stream',
        headers: lastId === '' ? {} : { 'last-event-id': lastId },
        signal: AbortSignal.any([signal, change.signal]),
      });
      isLost = false;
      for await (const { id, data } of readServerSentEvents(body)) {
        if (data !== undefined) yield data;
        lastId = id;
        // Not before there is a place to go on from.
        if (!isWatched) void query.changed(change.signal).then(() => change.abort());
        isWatched = true;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (change.signal.aborted) continue;
      if (error instanceof PlatformError && !error.retryable) throw error;
      // Before the first connection there is nothing to go on with: it is a mistake, most likely.
      if (lastId === '') throw error;
      reason = error instanceof PlatformError ? error.message : 'the connection was lost';
    } finally {
      change.abort();
    }
    if (!isLost && !signal.aborted) onLost(reason);
    isLost = true;
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import { createParser } from 'eventsource-parser';
import type { ApiClient } from './api-client.js';

/** Query for the events to follow. */
export interface FollowedQuery {
  /** Parameters of `/v1/events`, read for every connection. */
  readonly current: URLSearchParams;
  /** Resolves when `current` has changed, or the signal is aborted. */
  changed(signal: AbortSignal): Promise<void>;
}

/** Options of `followEvents`. */
export interface FollowOptions {
  readonly api: Pick<ApiClient, 'open'>;
  readonly query: FollowedQuery;
  /** Ends the iteration. */
  readonly signal: AbortSignal;
  /** Called once for each loss of the connection; the connection is then tried again. */
  readonly onLost: (reason: string) => void;
  /** Pause before a connection is tried again, in ms. Default 1,000. */
  readonly retryMs?: number;
}

/** Most characters of one event: far above the 1 MiB that a record of the event log may have. */
const maxEventLength = 16 * 1024 * 1024;

/**
 * Yields the events that a gateway sends as they happen, as JSON texts, until the signal is aborted.
 * After a lost connection, or a restart of the gateway, it continues after the last event.
 * @throws PlatformError what the gateway refuses; `EVENT_TOO_LARGE` for an event, or a line that does
 *   not end, of more than 16 Mi characters
 */
export async function* followEvents(options: FollowOptions): AsyncGenerator<string, void> {
  const { api, query, signal, onLost, retryMs = 1_000 } = options;
  let lastId = '';
  let isLost = false;
  while (!signal.aborted) {
    const change = new AbortController();
    let reason = 'the gateway ended the connection';
    try {
      const body = await api.open(`/v1/events?${query.current}`, {
        accept: 'text/event-stream',
        headers: lastId === '' ? {} : { 'last-event-id': lastId },
        signal: AbortSignal.any([signal, change.signal]),
      });
      isLost = false;
      let isWatched = false;
      for await (const message of readMessages(body)) {
        if ('data' in message) yield message.data;
        else lastId = message.id;
        // Not before the first id: without one, the next connection could not continue.
        if (!isWatched && lastId !== '')
          void query.changed(change.signal).then(() => change.abort());
        isWatched ||= lastId !== '';
      }
    } catch (error) {
      if (signal.aborted) return;
      if (change.signal.aborted) continue;
      if (error instanceof PlatformError && !error.retryable) throw error;
      // Before the first id there is nothing to continue, and the address is probably wrong.
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

/** Part of a server-sent event: the id to continue after, or the data of the event with that id. */
type Message = { readonly id: string } | { readonly data: string };

/** Parses server-sent events. An id comes before its data; it may come alone, as a position. */
async function* readMessages(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Message, void> {
  const decoder = new TextDecoder();
  let messages: Message[] = [];
  let isTooLarge = false;
  const parser = createParser({
    maxBufferSize: maxEventLength,
    onId: (id) => messages.push({ id }),
    onEvent: ({ data }) => messages.push({ data }),
    // Unknown fields are ignored, as the specification of server-sent events demands.
    onError: ({ type }) => {
      isTooLarge ||= type === 'max-buffer-size-exceeded';
    },
  });
  for await (const chunk of bytes) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    // One chunk may end many events. Each is handled before the next chunk is read.
    const complete = messages;
    messages = [];
    yield* complete;
    if (isTooLarge) {
      const message = `the gateway sent an event of more than ${maxEventLength} characters`;
      throw new PlatformError('EVENT_TOO_LARGE', message);
    }
  }
}

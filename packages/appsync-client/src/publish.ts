import { AppSyncError, toServerError } from './appsync-error.js';
import {
  errorsOf,
  listOf,
  type MessageError,
  parseObject,
  type ReceiveMessage,
  type ReceiveMessageEventID,
} from './protocol.js';

/** Most events of one publish, and most bytes of them together, that every server takes. */
const maxEvents = 5;
const maxBytes = 245_760;
const encoder = new TextEncoder();

/** Options of one publish. */
export interface PublishOptions {
  /** Aborting it ends the publish, also while it waits for the connection or its turn. */
  readonly signal?: AbortSignal;
  /**
   * Longest time of each part, in ms, its wait for the connection and its turn included. Default: that
   * of the client, from the end of these waits on.
   */
  readonly timeoutMs?: number;
  /** Default: that of the client. */
  readonly over?: 'websocket' | 'http' | 'any';
}

/** Result of a publish. Indexes are those of the list that was published. */
export interface PublishResult {
  readonly successful: readonly ReceiveMessageEventID[];
  readonly failed: readonly ReceiveMessageEventID[];
  /** Indexes of the events that were published. */
  readonly successIndexes: readonly number[];
}

/** Error of a publish of which a part has succeeded. */
export class PartialPublishError extends AppSyncError {
  /** Result of the parts before. */
  readonly result: PublishResult;

  constructor(error: AppSyncError, result: PublishResult) {
    super(error.reason, error.message, { cause: error, errors: error.errors });
    this.result = result;
  }
}

/** Part of a list that is published at once. */
export interface PublishPart {
  readonly start: number;
  readonly events: readonly string[];
}

/** Splits a list into parts of at most 5 events and 240 KB. A larger event is a part of its own. */
export function splitEvents(events: readonly string[]): PublishPart[] {
  const parts: { start: number; events: string[] }[] = [];
  let bytes = 0;
  events.forEach((event, index) => {
    const size = encoder.encode(event).length;
    const part = parts.at(-1);
    bytes += size;
    if (part && part.events.length < maxEvents && bytes <= maxBytes) part.events.push(event);
    else {
      parts.push({ start: index, events: [event] });
      bytes = size;
    }
  });
  return parts;
}

/** Publishes the parts of a list one after another. @throws PartialPublishError, AppSyncError */
export async function publishParts(
  events: readonly string[],
  publishPart: (events: readonly string[]) => Promise<ReceiveMessage>,
): Promise<PublishResult> {
  const successful: ReceiveMessageEventID[] = [];
  const failed: ReceiveMessageEventID[] = [];
  const result = () => ({
    successful,
    failed,
    successIndexes: successful.map(({ index }) => index).sort((a, b) => a - b),
  });
  for (const { start, events: part } of splitEvents(events)) {
    const inList = (each: ReceiveMessageEventID) => ({ ...each, index: start + each.index });
    try {
      const answer = await publishPart(part);
      successful.push(...listOf(answer.successful).map(inList));
      failed.push(...listOf(answer.failed).map(inList));
    } catch (error) {
      if (start === 0 || !(error instanceof AppSyncError)) throw error;
      throw new PartialPublishError(error, result());
    }
  }
  return result();
}

/** Request of a publish over HTTP. */
export interface HttpPublish {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/**
 * Publishes over HTTP.
 * @throws AppSyncError `server_error`, `receive_failed`, `unsupported_message_format`; the reason of the
 *   signal
 */
export async function publishOverHttp(
  fetch: typeof globalThis.fetch,
  { url, headers, body, signal }: HttpPublish,
): Promise<ReceiveMessage> {
  const { host: _host, ...others } = headers;
  const sent = { 'content-type': 'application/json', ...others };
  try {
    const response = await fetch(url, { method: 'POST', headers: sent, body, signal });
    // A proxy on the way may answer with a page.
    const answer = parseObject(await response.text());
    if (!response.ok) {
      throw toServerError('the publish', withStatus(errorsOf(answer ?? {}), response.status));
    }
    if (answer) return answer as ReceiveMessage;
    throw new AppSyncError('unsupported_message_format', `${url} did not answer with JSON`);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof AppSyncError) throw cause;
    throw new AppSyncError('receive_failed', `${url} did not answer the publish`, { cause });
  }
}

function withStatus(errors: readonly MessageError[], status: number): MessageError[] {
  if (errors.length === 0) return [{ errorType: 'HttpError', errorCode: status }];
  return errors.map((error) => ({ errorCode: status, ...error }));
}

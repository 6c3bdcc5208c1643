import type { Extension } from './extensions.js';
import type { ErrorEntry } from './realtime-error.js';

/** Frame of a client, as far as every frame is alike. Its other fields are not checked yet. */
export interface ClientFrame {
  readonly type: string;
  /** Valid id, or undefined if there is none. */
  readonly id: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Time in which a client expects a `ka`, in ms. */
export const connectionTimeoutMs = 300_000;

const idPattern = /^[A-Za-z0-9_+-]{1,128}$/;

/** Parses a frame. Returns the complaint if it is no JSON object with a `type`. */
export function parseClientFrame(text: string): ClientFrame | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'The message is no JSON.';
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return 'The message is no JSON object.';
  }
  const fields = parsed as Record<string, unknown>;
  const { type, id } = fields;
  if (typeof type !== 'string') return 'The message has no type.';
  return { type, id: typeof id === 'string' && idPattern.test(id) ? id : undefined, fields };
}

/** Writes a frame that is an answer without errors: `{"type":…,"id":…}`. */
export function replyText(type: string, id: string): string {
  return `{"type":"${type}","id":"${id}"}`;
}

/** Writes a frame with errors. `id` is absent for what belongs to no request. */
export function errorText(type: string, id: string | undefined, error: ErrorEntry): string {
  const { errorType, message } = error;
  return JSON.stringify({ type, id, errors: [{ errorType, message }] });
}

/** Writes a `connection_error`. It is the only frame whose errors have codes. */
export function connectionErrorText(error: ErrorEntry): string {
  return JSON.stringify({ type: 'connection_error', errors: [error] });
}

/** Writes a `connection_ack` for a client that asks for extensions. */
export function acknowledgement(
  extensions: readonly Extension[],
  epoch: string | undefined,
): string {
  return JSON.stringify({ type: 'connection_ack', connectionTimeoutMs, extensions, epoch });
}

/** Place of a subscriber who uses the extension `resume`. */
export interface SubscriberPlace {
  readonly epoch: string;
  /** Position of the last event that the subscriber has, or that it has to do without. */
  readonly position: bigint;
  /** Answer to one who asked to resume. */
  readonly recovered?: boolean | undefined;
}

/** Writes a `subscribe_success`. */
export function subscribeSuccess(id: string, place: SubscriberPlace | undefined): string {
  if (place === undefined) return replyText('subscribe_success', id);
  return JSON.stringify({ type: 'subscribe_success', id, ...place, position: `${place.position}` });
}

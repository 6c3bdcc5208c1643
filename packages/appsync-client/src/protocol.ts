/*
 * Frames of AppSync Events, as they are on the wire. Names of constants are those of the Go client.
 * https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html
 */

/** Headers that authorize an operation, with names as on the wire: `x-api-key`, `Authorization`, `host`. */
export type Authorization = Readonly<Record<string, string>>;

export const ConnectionInitType = 'connection_init';
export const PublishType = 'publish';
export const SubscribeType = 'subscribe';
export const UnsubscribeType = 'unsubscribe';

/** Type of a frame to the server. */
export type SendMsgType =
  | typeof ConnectionInitType
  | typeof PublishType
  | typeof SubscribeType
  | typeof UnsubscribeType;

export const ConnectionAckType = 'connection_ack';
export const ConnectionErrType = 'connection_error';
export const ErrType = 'error';
export const KeepAliveType = 'ka';
export const PublishErrType = 'publish_error';
export const PublishSuccessType = 'publish_success';
export const SubscribeErrType = 'subscribe_error';
export const SubscribeSuccessType = 'subscribe_success';
export const SubscriptionBroadcastErrorType = 'broadcast_error';
export const SubscriptionDataType = 'data';
export const UnsubscribeErrType = 'unsubscribe_error';
export const UnsubscribeSuccessType = 'unsubscribe_success';
/** Frame of the presence extension; AWS has none. */
export const PresenceType = 'presence';

/** Type of a frame from the server. */
export type ReceiveMsgType =
  | typeof ConnectionAckType
  | typeof ConnectionErrType
  | typeof ErrType
  | typeof KeepAliveType
  | typeof PublishErrType
  | typeof PublishSuccessType
  | typeof SubscribeErrType
  | typeof SubscribeSuccessType
  | typeof SubscriptionBroadcastErrorType
  | typeof SubscriptionDataType
  | typeof UnsubscribeErrType
  | typeof UnsubscribeSuccessType
  | typeof PresenceType;

/** Error as the server describes it. Codes are numbers or texts. */
export interface MessageError {
  readonly errorType: string;
  readonly errorCode?: number | string;
  readonly message?: string;
}

/** Event of a publish, by its place in the batch. */
export interface ReceiveMessageEventID {
  readonly identifier: string;
  readonly index: number;
  readonly code?: number | string;
  readonly message?: string;
}

/** Extension of the protocol, which servers other than AWS may have. */
export type Extension = 'resume' | 'presence' | 'channel';

/** Frame to the server. */
export interface SendMessage {
  readonly type: SendMsgType;
  readonly id?: string;
  readonly channel?: string;
  readonly events?: readonly string[];
  readonly authorization?: Authorization;
  readonly extensions?: readonly Extension[];
  readonly resume?: { readonly epoch: string; readonly position: string };
  readonly presence?: { readonly member?: string; readonly data?: unknown };
}

/** Member of a channel. */
export interface PresenceMember {
  readonly member: string;
  readonly data?: unknown;
}

/** Frame from the server. Any field may be missing or of another type: servers differ. */
export interface ReceiveMessage {
  readonly type: ReceiveMsgType;
  readonly id?: string;
  readonly connectionTimeoutMs?: number;
  readonly payload?: { readonly connectionTimeoutMs?: number };
  readonly errors?: readonly MessageError[];
  /** A text; some servers send a list of texts, and presence frames a word. */
  readonly event?: string | readonly string[];
  readonly successful?: readonly ReceiveMessageEventID[];
  readonly failed?: readonly ReceiveMessageEventID[];
  readonly extensions?: readonly Extension[];
  readonly epoch?: string;
  readonly position?: string;
  readonly recovered?: boolean;
  readonly channel?: string;
  readonly member?: string;
  readonly data?: unknown;
  readonly members?: readonly PresenceMember[];
}

/** Item of a subscription, as it came. */
export interface SubscriptionMessage {
  /**
   * `data` and `broadcast_error` come from the server. `gap`: events may have been missed during a
   * reconnect. `presence`: who is on the channel has changed.
   */
  readonly type: 'data' | 'broadcast_error' | 'gap' | 'presence';
  /** JSON text, as it was published. Empty unless the type is `data`. */
  readonly event: string;
  readonly errors?: readonly MessageError[];
  /** Channel of the event, with the extension `channel`. */
  readonly channel?: string;
  readonly presence?: {
    readonly change: 'members' | 'join' | 'leave';
    readonly members: readonly PresenceMember[];
  };
}

/** Parses a JSON object. Returns undefined for anything else. */
export function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Parses a frame. Returns undefined for anything that is no JSON object with a type. */
export function parseFrame(data: unknown): ReceiveMessage | undefined {
  const frame = typeof data === 'string' ? parseObject(data) : undefined;
  return frame && 'type' in frame && typeof frame.type === 'string'
    ? (frame as ReceiveMessage)
    : undefined;
}

/** Returns the objects of a list; an empty list for anything that is none. */
export function listOf<Item extends object>(list: readonly Item[] | undefined): readonly Item[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === 'object' && item) : [];
}

/** Returns the errors of a frame; an empty list for anything that is none. */
export function errorsOf({ errors }: Pick<ReceiveMessage, 'errors'>): readonly MessageError[] {
  return listOf(errors).filter(({ errorType }) => typeof errorType === 'string');
}

/** Returns a channel with one slash at its start and none at its end, by which channels compare. */
export function normaliseChannel(channel: string): string {
  return `/${channel.replace(/^\/+|\/+$/g, '')}`;
}

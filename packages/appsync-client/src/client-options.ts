import type { Clock } from './clock.js';
import type { WebSocketConstructor } from './dial.js';
import type { Extension, MessageError } from './protocol.js';

/** State of a client. `reconnecting` ends with `open` again, or with `closed` when it gives up. */
export type ClientState = 'connecting' | 'open' | 'reconnecting' | 'closed';

/** Options of reconnecting. Waits are random between 0 and a bound that doubles with each attempt. */
export interface ReconnectOptions {
  /** First bound, in ms. Default 250. */
  readonly initialMs?: number;
  /** Largest bound, in ms. Default 20,000. */
  readonly maxMs?: number;
  /** Time after which a connection counts as stable, and the bound begins anew, in ms. Default 10,000. */
  readonly stableMs?: number;
  /** Attempts in a row after which the client gives up. Default: never. */
  readonly maxAttempts?: number;
}

/** Options of a client. */
export interface ClientOptions {
  /** Longest time of an operation, and until the server acknowledges the connection. Default 30,000 ms. */
  readonly timeoutMs?: number;
  /** Extensions to ask for. Default: none; AWS has none. */
  readonly extensions?: readonly Extension[];
  /**
   * Way of publishes: the socket, HTTP, or `any`: the socket while it is open, else HTTP. Default
   * `websocket`.
   */
  readonly publishOver?: 'websocket' | 'http' | 'any';
  /** Publishes that begin on the socket in a second. Default 25, the limit of AWS. */
  readonly publishesPerSecond?: number;
  /** Most publishes that wait for the socket while it is not open; others are refused. Default 0. */
  readonly maxOfflinePublishes?: number;
  /** Called when the state changes, with the error that is the cause, if any. */
  readonly onState?: (state: ClientState, error?: Error) => void;
  /** Called with the errors of a frame that belongs to no operation. The connection stays open. */
  readonly onError?: (errors: readonly MessageError[]) => void;
  /** Default: the global ones. */
  readonly WebSocket?: WebSocketConstructor;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
  /** Returns a number from 0 to below 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** Returns a new id of an operation: 32 hexadecimal digits. */
export function newOperationId(): string {
  // Not `randomUUID`: pages without TLS lack it.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

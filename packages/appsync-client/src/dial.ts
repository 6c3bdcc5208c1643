import { AppSyncError } from './appsync-error.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { withDeadline } from './deadline.js';

/** WebSocket that is open, or anything that works alike. */
export interface Connection {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code?: number; readonly reason?: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
}

/** Constructor of WebSockets, as browsers and Node have it. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
) => Connection & { onopen: (() => void) | null };

/** Options of `dialWebSocket`. */
export interface DialOptions {
  /** Aborting it ends the attempt. */
  readonly signal?: AbortSignal;
  /** Longest time until the socket is open, the credential included, in ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Default: the global `WebSocket`. */
  readonly WebSocket?: WebSocketConstructor;
  /** True after the credential was refused. Default false. */
  readonly isRefused?: boolean;
}

/**
 * Opens a WebSocket to the server.
 * @throws AppSyncError `timed_out`, `context_ended` when the signal is aborted, `receive_failed`; and
 *   errors of the function that gives the credential
 */
export async function dialWebSocket(
  config: Config,
  { signal, timeoutMs = 30_000, isRefused, ...options }: DialOptions = {},
): Promise<Connection> {
  const Socket = options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor);
  const url = config.realtimeUrl();
  return withDeadline(
    async (limit) => {
      const protocols = await config.subprotocols(isRefused);
      limit.throwIfAborted();
      return whenOpen(new Socket(url, protocols), { url, signal: limit });
    },
    { clock: systemClock, timeoutMs, signal, what: `opening ${url}` },
  );
}

function whenOpen(
  socket: InstanceType<WebSocketConstructor>,
  { url, signal }: { readonly url: string; readonly signal: AbortSignal },
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      socket.onopen = socket.onclose = socket.onerror = null;
      if (!error) {
        resolve(socket);
        return;
      }
      // The socket may fail once more while it closes.
      socket.onerror = () => undefined;
      socket.close();
      reject(error);
    };
    const onAbort = (): void => settle(signal.reason);
    const fail = (): void =>
      settle(new AppSyncError('receive_failed', `${url} could not be opened`));
    signal.addEventListener('abort', onAbort);
    socket.onopen = () => settle();
    socket.onclose = fail;
    socket.onerror = fail;
  });
}

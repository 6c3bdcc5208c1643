import { AppSyncError } from './appsync-error.js';
import type { Config } from './config.js';

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
  /** Longest time until the socket is open. Default 30,000. */
  readonly timeoutMs?: number;
  /** Default: the global `WebSocket`. */
  readonly WebSocket?: WebSocketConstructor;
  /** True after the credential was refused. Default false. */
  readonly isRefused?: boolean;
}

/**
 * Opens a WebSocket to the server.
 * @throws AppSyncError `timed_out`, `context_ended` when the signal is aborted, `receive_failed`
 */
export async function dialWebSocket(
  config: Config,
  { signal, timeoutMs = 30_000, isRefused, ...options }: DialOptions = {},
): Promise<Connection> {
  const Socket = options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor);
  const url = config.realtimeUrl();
  const protocols = await config.subprotocols(isRefused);
  if (signal?.aborted) throw ended(signal);
  const socket = new Socket(url, protocols);
  return new Promise((resolve, reject) => {
    const settle = (error?: AppSyncError): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
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
    const onAbort = (): void => settle(ended(signal));
    const timer = setTimeout(
      () => settle(new AppSyncError('timed_out', `${url} did not open within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', onAbort);
    const fail = (): void =>
      settle(new AppSyncError('receive_failed', `${url} could not be opened`));
    socket.onopen = () => settle();
    socket.onclose = fail;
    socket.onerror = fail;
  });
}

/** Creates the error of something that the caller has aborted. */
export function ended(signal: AbortSignal | undefined): AppSyncError {
  return new AppSyncError('context_ended', 'the caller has aborted it', { cause: signal?.reason });
}

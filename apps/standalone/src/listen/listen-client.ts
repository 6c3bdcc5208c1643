import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, PlatformError } from '@posthaste/contracts';
import { WebSocket } from 'ws';
import { type ApiAddress, toError, toUnreachable } from '../api/api-client.js';
import type { ListenedRequest } from './forwarder.js';

/** Options of {@link listenToGateway}. */
export interface ListenOptions {
  readonly address: ApiAddress;
  /** Parameters of `/v1/listen`. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called with each request once; resolves when it is done with. Must not reject. */
  readonly onRequest: (request: ListenedRequest) => Promise<void>;
  /** Called when the first connection is open. */
  readonly onReady: () => void;
  /** Called once for each loss of the connection; it is then tried again. */
  readonly onLost: (reason: string) => void;
}

type Frame =
  | { readonly type: 'ready' | 'cursor'; readonly cursor: string }
  | ({ readonly type: 'request'; readonly cursor: string } & ListenedRequest);

/** Frame of the present connection, in the order of arrival. */
interface Entry {
  readonly cursor: string;
  readonly id: string | undefined;
  isDone: boolean;
}

const backoff = { initialMs: 250, maxMs: 5_000 };
/** Time without a ping of the gateway after which the connection counts as dead, in ms. */
const silenceMs = 45_000;
const openTimeoutMs = 30_000;
/** Close code by which the gateway asks for another connection: there is a new topic. */
const connectAgain = 4001;
const maxFrameBytes = 64 * 1024 * 1024;

/**
 * Listens until the signal is aborted. After a lost connection it continues where everything was done
 * with: what was under way comes again, and is recognised.
 * @throws PlatformError with the code that the gateway answered; `GATEWAY_UNREACHABLE` if it is not
 *   there in the beginning
 */
export async function listenToGateway(options: ListenOptions): Promise<void> {
  const { signal, onReady, onLost } = options;
  const progress = new Progress(options.onRequest);
  let isFirst = true;
  for (let failures = 0; !signal.aborted; ) {
    try {
      await connect(options, progress, () => {
        if (isFirst) onReady();
        isFirst = false;
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) return;
      if (isFirst || !canRetry(error)) throw error;
      if (failures === 0) onLost(error instanceof Error ? error.message : String(error));
      failures += 1;
      const waitMs = backoffMs(failures, backoff, Math.random());
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** True for what passes: a gateway that is away, busy or restarting. */
function canRetry(error: unknown): boolean {
  return (
    error instanceof PlatformError && (error.retryable || error.code === 'GATEWAY_UNREACHABLE')
  );
}

/** Requests under way, and the cursor up to which all is done with. */
class Progress {
  cursor: string | undefined;
  readonly #onRequest: ListenOptions['onRequest'];
  /** Requests that may come again after a reconnect, by id. */
  readonly #known = new Map<string, Promise<void>>();
  #entries: Entry[] = [];

  constructor(onRequest: ListenOptions['onRequest']) {
    this.#onRequest = onRequest;
  }

  /** Begins with another connection, which sends again all that follows the cursor. */
  restart(): void {
    this.#entries = [];
  }

  /** Takes a frame. Calls `onDone` when its request is done with. */
  take(frame: Frame, onDone: () => void): void {
    if (frame.type !== 'request') {
      this.#entries.push({ cursor: frame.cursor, id: undefined, isDone: true });
      this.#advance();
      return;
    }
    const entry: Entry = { cursor: frame.cursor, id: frame.id, isDone: false };
    this.#entries.push(entry);
    const running = this.#known.get(frame.id) ?? this.#onRequest(frame);
    this.#known.set(frame.id, running);
    void running.then(() => {
      entry.isDone = true;
      if (!this.#entries.includes(entry)) return;
      onDone();
      this.#advance();
    });
  }

  #advance(): void {
    while (this.#entries[0]?.isDone) {
      const entry = this.#entries.shift();
      this.cursor = entry?.cursor;
      if (entry?.id !== undefined) this.#known.delete(entry.id);
    }
  }
}

/** Opens a connection and stays until it ends. Returns if the gateway asks for another one. */
async function connect(
  { address, query, signal }: ListenOptions,
  progress: Progress,
  onReady: () => void,
): Promise<void> {
  progress.restart();
  const base = address.url.replace(/\/+$/, '');
  const url = toWebSocketUrl(base, { ...query, cursor: progress.cursor });
  const { apiKey } = address;
  const socket = new WebSocket(url, {
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    handshakeTimeout: openTimeoutMs,
    maxPayload: maxFrameBytes,
  });
  const stop = (): void => socket.close(1000);
  signal.addEventListener('abort', stop);
  let silence: NodeJS.Timeout | undefined;
  const onPing = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => socket.terminate(), silenceMs);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('open', onPing);
      socket.on('ping', onPing);
      socket.on('message', (data) => {
        const frame = JSON.parse(String(data)) as Frame;
        if (frame.type === 'ready') onReady();
        progress.take(frame, () => socket.send('{"type":"done"}', () => undefined));
      });
      socket.on('unexpected-response', (_request, answer) => {
        readError(base, answer).then(reject, (error) => reject(toUnreachable(base, error)));
      });
      socket.on('error', (error) => reject(toUnreachable(base, error)));
      socket.on('close', (code) => {
        if (signal.aborted || code === connectAgain) return resolve();
        reject(new PlatformError('GATEWAY_UNREACHABLE', 'the gateway ended the connection'));
      });
    });
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
    socket.terminate();
  }
}

async function readError(base: string, answer: IncomingMessage): Promise<PlatformError> {
  return toError(base, { ok: false, status: answer.statusCode ?? 0, text: await text(answer) });
}

function toWebSocketUrl(base: string, query: ListenOptions['query']): string {
  const url = new URL(`${base.replace(/^http/, 'ws')}/v1/listen`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

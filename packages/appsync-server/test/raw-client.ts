import { WebSocket } from 'ws';

/** Frame of the server, parsed. */
export type Frame = Record<string, unknown> & { type: string };

/** Client that sends what it is told, and keeps every frame that it gets. */
export interface RawClient {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  /** Set when the socket is closed. */
  closed: { code: number; reason: string } | undefined;
  /** Selected subprotocol. */
  readonly protocol: string;
  /** Sends a value as JSON, text and bytes as they are. */
  send(frame: object | string | Buffer): void;
  /** Resolves with the first frame, old or new, that fits. */
  next(fits: (frame: Frame) => boolean): Promise<Frame>;
  /** Resolves when the socket is closed. */
  end(): Promise<{ code: number; reason: string }>;
}

/** Options of `connectRaw`. */
export interface RawClientOptions {
  readonly port: number;
  /** Connect object. Default: the key `key`. */
  readonly credential?: Record<string, string> | undefined;
  readonly protocols?: string[] | undefined;
  readonly headers?: Record<string, string> | undefined;
  readonly path?: string | undefined;
}

/** Encodes a connect object as a subprotocol. */
export function headerProtocol(credential: Record<string, string>): string {
  return `header-${Buffer.from(JSON.stringify(credential)).toString('base64url')}`;
}

/** Opens a socket. Sends nothing by itself. */
export async function connectRaw(options: RawClientOptions): Promise<RawClient> {
  const { port, credential = { host: 'localhost', 'x-api-key': 'key' }, headers = {} } = options;
  const protocols = options.protocols ?? ['aws-appsync-event-ws', headerProtocol(credential)];
  const url = `ws://127.0.0.1:${port}${options.path ?? '/event/realtime'}`;
  const socket = new WebSocket(url, protocols, { headers });
  const frames: Frame[] = [];
  const waiters = new Set<() => void>();
  const client: RawClient = {
    socket,
    frames,
    closed: undefined,
    get protocol() {
      return socket.protocol;
    },
    send(frame) {
      const isRaw = typeof frame === 'string' || Buffer.isBuffer(frame);
      socket.send(isRaw ? frame : JSON.stringify(frame));
    },
    async next(fits) {
      for (;;) {
        const found = frames.find(fits);
        if (found) return found;
        if (client.closed) throw new Error(`closed with ${client.closed.code} before the frame`);
        await new Promise<void>((resolve) => waiters.add(resolve));
      }
    },
    async end() {
      while (!client.closed) await new Promise<void>((resolve) => waiters.add(resolve));
      return client.closed;
    },
  };
  const notify = () => {
    for (const waiter of waiters) waiter();
    waiters.clear();
  };
  socket.on('message', (data: Buffer) => {
    frames.push(JSON.parse(data.toString('utf8')));
    notify();
  });
  socket.on('close', (code, reason) => {
    client.closed = { code, reason: reason.toString() };
    notify();
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
  });
  return client;
}

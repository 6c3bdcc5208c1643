import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Frame of the server, parsed. */
export type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

/** End of a connection. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Connection on which a test writes its frames itself. */
export class RawSocket {
  readonly socket: WebSocket;
  /** Is called with each frame. */
  onFrame: (frame: Frame) => void = () => undefined;
  closed: Closed | undefined;
  readonly #waiting = new Map<string, (frame: Frame) => void>();
  #onInit: ((frame: Frame) => void) | undefined;
  #number = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString()) as Frame));
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      for (const settle of this.#waiting.values()) settle({ type: 'closed', code });
      this.#onInit?.({ type: 'closed', code });
    });
  }

  /** Connects with a key, or with other headers. Resolves when the socket is open. */
  static async open(
    port: number,
    keyOrHeaders: string | Readonly<Record<string, string>>,
  ): Promise<RawSocket> {
    const headers = typeof keyOrHeaders === 'string' ? { 'x-api-key': keyOrHeaders } : keyOrHeaders;
    const credential = Buffer.from(JSON.stringify({ host: 'localhost', ...headers }));
    const protocols = ['aws-appsync-event-ws', `header-${credential.toString('base64url')}`];
    const socket = new WebSocket(`ws://127.0.0.1:${port}/event/realtime`, protocols);
    const raw = new RawSocket(socket);
    await once(socket, 'open');
    return raw;
  }

  /** Asks for the acknowledgement. Returns that, or the `connection_error`. */
  init(): Promise<Frame> {
    return new Promise((resolve) => {
      this.#onInit = resolve;
      this.socket.send('{"type":"connection_init"}');
    });
  }

  /** Sends an operation with an id of its own. Returns the answer, or a frame of type `closed`. */
  request(
    operation: { readonly type: string } & Readonly<Record<string, unknown>>,
  ): Promise<Frame> {
    this.#number += 1;
    const id = `${operation.type}-${this.#number}`;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ ...operation, id }));
    });
  }

  subscribe(channel: string): Promise<Frame> {
    return this.request({ type: 'subscribe', channel });
  }

  publish(channel: string, events: readonly string[]): Promise<Frame> {
    return this.request({ type: 'publish', channel, events });
  }

  close(): void {
    this.socket.terminate();
  }

  #receive(frame: Frame): void {
    if (frame.type.startsWith('connection_')) this.#onInit?.(frame);
    const settle = frame.type === 'data' ? undefined : this.#waiting.get(String(frame.id));
    if (settle) {
      this.#waiting.delete(String(frame.id));
      settle(frame);
    }
    this.onFrame(frame);
  }
}

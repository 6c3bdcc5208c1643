import { connect, type Socket } from 'node:net';
import type { RunningContender } from './contenders.js';
import { FrameCounter } from './frame-counter.js';

const headEnd = '\r\n\r\n';

/** A WebSocket client that costs little: it counts frames, and reads nothing of them. */
export class CheapClient {
  readonly counter: FrameCounter = new FrameCounter();
  readonly #socket: Socket;
  #hasUpgraded = false;
  #head = '';
  #stepsSent = 0;
  #isClosed = false;

  /**
   * @param onFrames called after frames have come, with the number of events among them
   * @param onRefused called when the server closes the connection, or makes no WebSocket of it;
   *   default: the latter ends the run
   */
  constructor(
    private readonly server: Pick<RunningContender, 'port' | 'contender'>,
    private readonly onFrames: (client: CheapClient, events: number) => void,
    private readonly onRefused?: () => void,
  ) {
    const { path, subprotocols } = server.contender.wire;
    this.#socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    const lines = [
      `GET ${path} HTTP/1.1`,
      `host: 127.0.0.1:${server.port}`,
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
      ...(subprotocols ? [`sec-websocket-protocol: ${subprotocols}`] : []),
    ];
    this.#socket.write(lines.join('\r\n') + headEnd);
    this.#socket.on('data', (part) => this.#read(part));
    // A server that closes is seen by the frames that are missing.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      if (!this.#isClosed) this.onRefused?.();
    });
  }

  /** Sends a text frame. */
  send(text: string): void {
    this.#socket.write(clientFrame(text));
  }

  /** Reads nothing any more, and lets the server wait. */
  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #read(part: Buffer): void {
    const { frames, events } = this.counter;
    this.counter.read(this.#hasUpgraded ? part : this.#readHead(part));
    this.#step();
    if (this.counter.frames > frames) this.onFrames(this, this.counter.events - events);
  }

  #readHead(part: Buffer): Buffer {
    this.#head += part.toString('latin1');
    const end = this.#head.indexOf(headEnd);
    if (end < 0) return Buffer.alloc(0);
    if (!this.#head.startsWith('HTTP/1.1 101')) {
      if (!this.onRefused) throw new Error(this.#head.slice(0, end));
      this.#socket.destroy();
      return Buffer.alloc(0);
    }
    this.#hasUpgraded = true;
    const rest = Buffer.from(this.#head.slice(end + headEnd.length), 'latin1');
    this.#head = '';
    return rest;
  }

  #step(): void {
    const { steps } = this.server.contender.wire;
    while (this.#hasUpgraded && this.#stepsSent <= this.counter.frames) {
      const texts = steps[this.#stepsSent];
      if (texts === undefined) return;
      this.#stepsSent += 1;
      for (const text of texts) this.send(text);
    }
  }
}

/** Writes a text frame with a mask of zeros, which changes nothing of the text. */
function clientFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length > 65_535) throw new Error('longer than the load needs');
  const { length } = payload;
  const header = length < 126 ? [0x81, 0x80 | length] : [0x81, 0xfe, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), payload]);
}

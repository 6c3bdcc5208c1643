import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { textFrame } from '../protocol/text-frame.js';

/** Bytes that are written before the turn of the event loop is over. */
const earlyFlushBytes = 65_536;

/**
 * Connections that have frames to write. What waits for a connection at the end of a turn of the
 * event loop goes out in one write.
 */
export class SendQueue {
  #waiting: Outlet[] = [];
  #slow: Outlet[] = [];
  #isScheduled = false;
  /** Beginnings of what waits, for `onWritten`. */
  #startedAt: number[] = [];
  /** Bytes that were given to sockets. */
  bytesOut = 0;

  /**
   * @param maxWaitingBytes bytes that a socket may have left to send before its next write
   * @param onWritten gets each time that `time` was called with, when all is written
   */
  constructor(
    readonly maxWaitingBytes: number,
    private readonly onWritten?: (startedAt: number) => void,
  ) {}

  add(outlet: Outlet): void {
    this.#waiting.push(outlet);
    this.#schedule();
  }

  /** Has `onSlow` called at the end of the turn, because subscriptions end with it. */
  addSlow(outlet: Outlet): void {
    this.#slow.push(outlet);
    this.#schedule();
  }

  /** Times what waits now. @param startedAt when the publish began */
  time(startedAt: number): void {
    this.#startedAt.push(startedAt);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Immediates run after all sockets of this turn were read, so that publishes of one turn share writes.
    setImmediate(flushQueue, this);
  }

  flush(): void {
    this.#isScheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outlet of waiting) outlet.flush();
    for (const outlet of this.#slow.splice(0)) outlet.onSlow();
    if (this.#startedAt.length === 0) return;
    for (const startedAt of this.#startedAt.splice(0)) this.onWritten?.(startedAt);
  }
}

function flushQueue(queue: SendQueue): void {
  queue.flush();
}

/** Receiver of frames. Frames are text of one byte per character. */
export interface FrameSink {
  /** Frames that wait. Call `appended` after appending to it. */
  frames: string;
  appended(): void;
}

/** Sending side of one connection. */
export abstract class Outlet implements FrameSink {
  /** Frames that the socket has not got yet. */
  frames = '';
  #isQueued = false;
  #isClosed = false;

  /** @param socket the one below `webSocket`, which data is written to directly */
  constructor(
    private readonly queue: SendQueue,
    protected readonly webSocket: WebSocket,
    private readonly socket: Duplex,
  ) {}

  /** Is called once, after more waited than the queue allows. Later frames are dropped. */
  abstract onSlow(): void;

  /** Is called for each frame of the client that is answered with an error. */
  abstract onFault(): void;

  sendFrame(frame: string): void {
    this.frames += frame;
    this.appended();
  }

  /** Sends text as one frame. */
  sendText(text: string): void {
    this.sendFrame(textFrame(text));
  }

  appended(): void {
    if (this.frames.length >= earlyFlushBytes) this.#write();
    else if (!this.#isQueued) {
      this.#isQueued = true;
      this.queue.add(this);
    }
  }

  flush(): void {
    this.#isQueued = false;
    if (this.frames !== '') this.#write();
  }

  /** True while the socket has more to send than it should have. Await `drained` then. */
  get isBehind(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** Writes what waits. Resolves when the socket has sent all, or is closed. */
  async drained(): Promise<void> {
    if (this.frames !== '') this.#write();
    const { socket } = this;
    if (this.#isClosed || !socket.writableNeedDrain || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        socket.off('drain', settle);
        socket.off('close', settle);
        resolve();
      };
      socket.on('drain', settle);
      socket.on('close', settle);
    });
  }

  /** Writes what waits, and drops all later frames. */
  protected endFrames(): void {
    if (this.frames !== '') this.#write();
    this.#isClosed = true;
  }

  #write(): void {
    const { frames, socket, queue } = this;
    this.frames = '';
    // After a frame of type close no other may follow.
    if (this.#isClosed || this.webSocket.readyState !== WebSocket.OPEN) return;
    const waiting = socket.writableLength;
    // A socket that has taken all of the past is not slow, however much comes at once.
    if (waiting > 0 && waiting + frames.length > queue.maxWaitingBytes) {
      this.#isClosed = true;
      // Not at once: the hub may be going through its subscriptions.
      queue.addSlow(this);
      return;
    }
    queue.bytesOut += frames.length;
    socket.write(frames, 'latin1');
  }
}

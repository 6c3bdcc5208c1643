import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { AuthClient } from '../auth/authorizer.js';
import { type Extension, type Extensions, parseExtensions } from '../protocol/extensions.js';
import {
  acknowledgement,
  connectionErrorText,
  connectionTimeoutMs,
  errorText,
  parseClientFrame,
} from '../protocol/frames.js';
import { type ErrorEntry, RealtimeError } from '../protocol/realtime-error.js';
import { pingFrame, textFrame } from '../protocol/text-frame.js';
import type { CredentialInUse } from './credentials.js';
import { InboundPace, type RealmPace } from './inbound-pace.js';
import { Operations, type OperationsHost } from './operations.js';
import type { RealmCounts } from './realm-counts.js';
import { Outlet, type SendQueue } from './send-queue.js';

/** Frames that may wait for one that is being handled, before no more are read. */
const maxWaitingFrames = 64;
/**
 * Frames that may wait in all. What was read with the one that was too many still comes: a piece of
 * 64 KiB has up to 1,500 frames that mean anything, or 9,000 that were made to be a burden.
 */
const maxUnheededFrames = 2_048;

const ackFrame = textFrame(JSON.stringify({ type: 'connection_ack', connectionTimeoutMs }));
const keepAliveFrame = textFrame('{"type":"ka"}');

/** Parts of a server that its connections use. */
export interface ConnectionHost extends OperationsHost {
  readonly sendQueue: SendQueue;
  readonly realmPace: RealmPace;
  readonly connectionCounts: RealmCounts;
  /** Is called once, when the socket is closed. */
  onClosed(connection: Connection): void;
  /** Is called when a connection is closed because it reads too slowly. */
  onSlow(): void;
}

/**
 * One WebSocket connection.
 *
 * authorizing → open     the credential of the connect is valid
 *             → refused  it is not; the first frame is answered with `connection_error`, then 1008
 * any         → closed
 *
 * Frames are handled one after another: one that has to wait, for an authorizer or a handler, holds
 * up those behind it, and after some of them nothing more is read.
 */
export class Connection extends Outlet {
  slot = 0;
  client: AuthClient | undefined;
  readonly #openedAt = Date.now();
  #state: 'authorizing' | 'open' | 'refused' | 'closed' = 'authorizing';
  #credential: CredentialInUse | undefined;
  #refusal: ErrorEntry | undefined;
  #operations: Operations | undefined;
  #extensions: Extensions | undefined;
  /** Frames behind the one that is being handled. */
  #waiting: { data: Buffer; isBinary: boolean }[] | undefined;
  #waitingBytes = 0;
  #isBusy = true;
  #hasSpoken = false;
  #isAlive = true;
  readonly #pace: InboundPace;

  constructor(
    private readonly host: ConnectionHost,
    webSocket: WebSocket,
    socket: Duplex,
  ) {
    super(host.sendQueue, webSocket, socket);
    this.#pace = new InboundPace(host.limits.framesPerSecond, host.realmPace);
  }

  /** Begins with the credential of the connect, or with the error that refuses it. */
  begin(credential: CredentialInUse | Error): void {
    if (this.#state === 'closed') return;
    const refusal = credential instanceof Error ? credential : this.#hold(credential);
    if (refusal !== undefined) {
      this.#state = 'refused';
      this.#refusal = this.host.toEntry(refusal);
    } else this.#state = 'open';
    this.#continue();
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    this.#isAlive = true;
    if (this.#state === 'closed') {
      // It does not heed the close, and reading costs too.
      if (!this.#pace.mayControl()) this.terminate();
      return;
    }
    if (!this.#isBusy) {
      this.#handle(data, isBinary);
      return;
    }
    this.#waiting ??= [];
    this.#waiting.push({ data, isBinary });
    this.#waitingBytes += data.length;
    if (this.#waiting.length > maxUnheededFrames) {
      this.#stop();
      this.terminate();
    } else if (this.#isBehind()) this.webSocket.pause();
  }

  /** Is called with each ping and pong of the client. */
  onControl(): void {
    this.#isAlive = true;
    if (!this.#pace.mayControl()) this.terminate();
  }

  /** Is called when the socket is closed, by whichever side. */
  onClose(): void {
    this.#stop();
    if (this.#credential) {
      this.host.connectionCounts.remove(this.#realm);
      this.host.credentials.release(this.#credential);
    }
    this.#credential = undefined;
    this.host.onClosed(this);
  }

  /** Sends what waits, then closes. Nothing is accepted any more. */
  close(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#stop();
    if (this.webSocket.isPaused) this.webSocket.resume();
    this.webSocket.close(code, reason);
  }

  terminate(): void {
    this.webSocket.terminate();
  }

  override onSlow(): void {
    this.host.onSlow();
    this.close(1013, 'too slow');
  }

  override onFault(): void {
    this.#pace.onFault(this.#realm);
  }

  /** Closes a connection that is dead or too old; else sends `ka` and a ping. */
  keepAlive(now: number): void {
    const isOld = now - this.#openedAt > this.host.limits.maxConnectionMs;
    // Of a connection that is not read on, pongs are not read either.
    if (!this.#isAlive && !this.webSocket.isPaused) this.terminate();
    else if (isOld) this.close(1001, 'connection is too old');
    else if (this.#refusal) this.close(1008, this.#refusal.errorType);
    this.#isAlive = false;
    this.sendFrame(this.#hasSpoken ? pingFrame + keepAliveFrame : pingFrame);
  }

  /**
   * True while its credentials allow it to stay: each subscription needs a valid one, and where
   * there is no subscription that of the connect is needed.
   */
  mayStay(now: number): boolean {
    if (this.#state !== 'open') return true;
    return this.#operations?.haveCredentials(now) ?? this.#credential?.isUsable(now) ?? false;
  }

  #stop(): void {
    this.#state = 'closed';
    this.endFrames();
    this.#waiting = undefined;
    this.#operations?.close();
  }

  /** Takes the credential, and the place of its realm. Returns the error if there is none. */
  #hold(credential: CredentialInUse): Error | undefined {
    try {
      this.host.connectionCounts.add(credential.identity.realm);
    } catch (error) {
      return error as Error;
    }
    this.#credential = this.host.credentials.hold(credential);
    return undefined;
  }

  get #realm(): string {
    return this.#credential?.identity.realm ?? '';
  }

  #handle(data: Buffer, isBinary: boolean): void {
    const realm = this.#realm;
    const read = () =>
      this.host.realmPace.time(realm, data.length, () => this.#answer(data, isBinary));
    const waiting = this.#pace.waitForFrame(realm, data.length);
    const answering = waiting === undefined ? read() : waiting.then(read);
    if (answering === undefined) return;
    this.#isBusy = true;
    answering.then(
      () => this.#continue(),
      // An answer fails only by a fault of the server.
      (error) => {
        this.host.toEntry(error);
        this.close(1011, 'internal error');
      },
    );
  }

  #continue(): void {
    this.#isBusy = false;
    while (!this.#isBusy && this.#state !== 'closed') {
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      this.#waitingBytes -= next.data.length;
      this.#handle(next.data, next.isBinary);
    }
    if (this.webSocket.isPaused && !this.#isBehind()) this.webSocket.resume();
  }

  #isBehind(): boolean {
    const frames = this.#waiting?.length ?? 0;
    return frames >= maxWaitingFrames || this.#waitingBytes > this.host.limits.maxFrameBytes;
  }

  #answer(data: Buffer, isBinary: boolean): Promise<void> | undefined {
    // It may have been closed in a pause.
    if (this.#state === 'closed') return undefined;
    this.#hasSpoken = true;
    if (this.#refusal) {
      this.sendText(connectionErrorText(this.#refusal));
      this.close(1008, this.#refusal.errorType);
      return undefined;
    }
    const frame = isBinary
      ? 'Binary messages are not supported.'
      : parseClientFrame(data.toString('utf8'));
    if (typeof frame === 'string') return this.#refuse(undefined, badRequest(frame));
    const { type, id } = frame;
    if (type === 'connection_init') return this.#acknowledge(frame.fields.extensions);
    if (!Operations.handles(frame)) {
      const message = `The type '${type.slice(0, 64)}' is unknown.`;
      return this.#refuse(id, new RealtimeError('UnsupportedOperation', 400, message));
    }
    if (id === undefined) {
      const message = `The ${type} has no id of 1 to 128 letters, digits, '_', '+' or '-'.`;
      return this.#refuse(undefined, badRequest(message));
    }
    if (this.#operations === undefined) {
      this.#operations = new Operations(this.host, this, this.#credential);
      this.#operations.client = this.client;
    }
    this.#operations.extensions = this.#extensions;
    return this.#operations.answer(id, frame, data.length);
  }

  #acknowledge(asked: unknown): Promise<void> | undefined {
    const extensions = parseExtensions(asked);
    if (extensions === undefined) {
      this.sendFrame(ackFrame + keepAliveFrame);
      return undefined;
    }
    return this.#agree(extensions);
  }

  async #agree(asked: readonly Extension[]): Promise<void> {
    const epoch = asked.includes('resume') ? await this.#findEpoch() : undefined;
    const extensions = asked.filter((each) => each !== 'resume' || epoch !== undefined);
    this.#extensions = new Set(extensions);
    this.sendFrame(textFrame(acknowledgement(extensions, epoch)) + keepAliveFrame);
  }

  /** Positions mean something only with an epoch, which the broker may learn when it begins. */
  async #findEpoch(): Promise<string | undefined> {
    try {
      await this.host.beginning();
      return this.host.broker.epoch;
    } catch {
      // The client gets on without resuming.
      return undefined;
    }
  }

  #refuse(id: string | undefined, error: RealtimeError): undefined {
    this.onFault();
    this.sendText(errorText('error', id, error.toEntry()));
  }
}

function badRequest(message: string): RealtimeError {
  return new RealtimeError('BadRequestException', 400, message);
}

import { Duplex } from 'node:stream';
import type { EmbeddedEngine } from './engine.js';

type Done = (error?: Error | null) => void;

/** First byte of the message that ends a session. */
const terminate = 0x58;

/**
 * What the driver takes for its socket to a server: at the other end is PGlite, which speaks the
 * same protocol. So all above it, from prepared statements to errors, is one code for both engines.
 *
 * An engine has one session, so the two share their life: the end of either is the end of both.
 */
export class EmbeddedSocket extends Duplex {
  readonly #start: () => Promise<EmbeddedEngine>;
  #engine: EmbeddedEngine | undefined;

  constructor(start: () => Promise<EmbeddedEngine>) {
    super();
    this.#start = start;
  }

  connect(): this {
    this.#start().then(
      (engine) => this.#onStarted(engine),
      (error: Error) => this.destroy(error),
    );
    return this;
  }

  // What a network socket has on top of a stream, and the driver calls.
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {
    // Answers are pushed as they come.
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#execute([chunk]).then(() => done(), done);
  }

  /** A statement is several messages, and several statements may wait: they travel together. */
  override _writev(writes: { chunk: Buffer }[], done: Done): void {
    this.#execute(writes.map(({ chunk }) => chunk)).then(() => done(), done);
  }

  override _final(done: Done): void {
    this.push(null);
    (this.#engine?.close() ?? Promise.resolve()).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    (this.#engine?.kill() ?? Promise.resolve()).then(() => done(error), done);
  }

  #onStarted(engine: EmbeddedEngine): void {
    if (this.destroyed) return;
    engine.take();
    this.#engine = engine;
    void engine.exited.then(() => {
      if (!this.writableEnded) this.destroy(new Error('the embedded database has ended'));
    });
    this.emit('connect');
  }

  async #execute(messages: readonly Buffer[]): Promise<void> {
    if (!this.#engine || messages[0]?.[0] === terminate) return;
    const answer = await this.#engine.execute(joined(messages));
    this.push(Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength));
  }
}

/** Always a copy, in a buffer of its own: the driver's buffers are its to use again. */
function joined(chunks: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

import { Duplex } from 'node:stream';
import type { EmbeddedEngine } from './engine.js';

type Done = (error?: Error | null) => void;

/** First byte of the protocol message that ends a session. */
const terminate = 0x58;

/**
 * Socket for the driver whose other end is PGlite, which speaks Postgres's protocol. So everything
 * above it, from prepared statements to errors, is the same code for both engines.
 *
 * An engine has one session, so the end of the socket ends the engine, and the reverse.
 */
export class EngineSocket extends Duplex {
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

  // Methods of network sockets that the driver calls.
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
    // Responses are pushed when they arrive.
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#execute([chunk]).then(() => done(), done);
  }

  /** Sends all waiting messages together: a statement is several messages. */
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
    engine.markUsed();
    this.#engine = engine;
    void engine.exited.then(() => {
      if (!this.writableEnded) this.destroy(new Error('the embedded database has ended'));
    });
    this.emit('connect');
  }

  async #execute(messages: readonly Buffer[]): Promise<void> {
    if (!this.#engine || messages[0]?.[0] === terminate) return;
    const response = await this.#engine.execute(joined(messages));
    this.push(Buffer.from(response.buffer, response.byteOffset, response.byteLength));
  }
}

/** Copies the chunks to one new buffer, because the driver reuses its own buffers. */
function joined(chunks: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

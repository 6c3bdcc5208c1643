import { Duplex } from 'node:stream';
import type { PGlite } from '@electric-sql/pglite';

const terminateMessage = 0x58;

/**
 * What pg takes for its socket to a server: the other end is PGlite in this process, which speaks
 * the same protocol. Everything above it, from statements to errors, is one code for both engines.
 */
export class EmbeddedSocket extends Duplex {
  readonly #engine: PGlite;

  constructor(engine: PGlite) {
    super();
    this.#engine = engine;
  }

  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }

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
    // Answers are pushed as the engine gives them.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#execute(chunk).then(() => done(), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#execute(Buffer.concat(chunks.map(({ chunk }) => chunk))).then(() => done(), done);
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  async #execute(messages: Buffer): Promise<void> {
    if (messages[0] === terminateMessage) return;
    // The driver expects an answer after its write returned, as from a network.
    await Promise.resolve();
    await this.#engine.execProtocolRawStream(messages, {
      // A view of the engine's memory, which it uses again.
      onRawData: (bytes) => this.push(Buffer.from(bytes)),
    });
  }
}

import type { Socket } from 'node:net';

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const zero = 0x30;
const two = 0x32;
/** Beginning of the status line of an informational response; the minor version may be any. */
const lineStart: Buffer = Buffer.from('HTTP/1.? 1');
const minorVersionAt = lineStart.indexOf('?');
/** Position of the last digit of the status. */
const lastDigitAt = lineStart.length + 1;

/**
 * Makes undici ignore a `100 Continue` that was not asked for, as RFC 9110 says in section 15.2.
 *
 * undici closes the socket at such a response, and skips every other informational response. So this
 * reads the status lines before undici does, and replaces the status 100 by 102. undici still parses
 * and limits these responses, and no byte is held back from it.
 *
 * States: `line` (in the status line of a response), `head` (in the rest of an informational one),
 * `final` (the status line of the final response has begun: nothing is read until the next request).
 */
export class UnaskedContinue {
  #state: 'line' | 'head' | 'final' = 'final';
  /** In `line`: bytes of the status line so far. In `head`: bytes of CR LF CR LF so far. */
  #seen = 0;
  /** True if the status begins with 10. */
  #isTen = false;

  /** Reads every byte of the socket from now on, before its reader gets it. */
  attach(socket: Socket): void {
    const { read } = socket;
    socket.read = (size) => {
      const chunk: Buffer | null = read.call(socket, size);
      if (chunk !== null && this.#state !== 'final') this.#replaceIn(chunk);
      return chunk;
    };
  }

  /** Must be called before a request is written. */
  expectResponse(): void {
    this.#enter('line');
  }

  #replaceIn(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && this.#state !== 'final'; at++) {
      if (this.#state === 'head') this.#readHead(chunk[at] ?? 0);
      else if (this.#readLine(chunk[at] ?? 0)) chunk[at] = two;
    }
  }

  /** Returns true if the byte is the last digit of the status 100. */
  #readLine(byte: number): boolean {
    // The parser of undici skips empty lines before a response.
    if (this.#seen === 0 && (byte === carriageReturn || byte === lineFeed)) return false;
    const at = this.#seen;
    this.#seen += 1;
    if (at < lineStart.length) {
      if (byte !== lineStart[at] && at !== minorVersionAt) this.#enter('final');
    } else if (at < lastDigitAt) {
      this.#isTen = byte === zero;
    } else {
      this.#enter('head');
      return this.#isTen && byte === zero;
    }
    return false;
  }

  #readHead(byte: number): void {
    const expected = this.#seen % 2 === 0 ? carriageReturn : lineFeed;
    if (byte === expected) this.#seen += 1;
    else this.#seen = byte === carriageReturn ? 1 : 0;
    if (this.#seen === 4) this.#enter('line');
  }

  #enter(state: 'line' | 'head' | 'final'): void {
    this.#state = state;
    this.#seen = 0;
  }
}

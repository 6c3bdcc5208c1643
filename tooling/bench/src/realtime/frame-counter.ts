const textOpcode = 1;
const closeOpcode = 8;
/** Payload of the smallest frame that has an event of 200 bytes. */
const minEventFrameBytes = 200;

/** Counter of the text frames of a server, which looks at their headers only. */
export class FrameCounter {
  /** Text frames that have come whole. */
  frames = 0;
  /** Those among them that are as long as an event; `ka` and answers are shorter. */
  events = 0;
  /** True after a close frame. */
  isClosed = false;
  #rest: Buffer | undefined;
  #missing = 0;
  #opcode = 0;
  #length = 0;

  /** Counts what ends in a part of the stream. */
  read(part: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, part]) : part;
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      if (this.#missing === 0) {
        const begin = this.#readHeader(bytes, at);
        if (begin === undefined) {
          this.#rest = bytes.subarray(at);
          return;
        }
        at = begin;
      }
      const taken = Math.min(this.#missing, bytes.length - at);
      at += taken;
      this.#missing -= taken;
      if (this.#missing === 0) this.#count();
    }
  }

  /** Returns where the payload begins, or undefined if the header is not whole. */
  #readHeader(bytes: Buffer, at: number): number | undefined {
    const short = (bytes[at + 1] ?? 0) & 127;
    const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length - at < headerBytes) return undefined;
    this.#opcode = (bytes[at] ?? 0) & 15;
    if (short < 126) this.#missing = short;
    else if (short === 126) this.#missing = bytes.readUInt16BE(at + 2);
    else this.#missing = Number(bytes.readBigUInt64BE(at + 2));
    this.#length = this.#missing;
    return at + headerBytes;
  }

  #count(): void {
    if (this.#opcode === textOpcode) {
      this.frames += 1;
      if (this.#length >= minEventFrameBytes) this.events += 1;
    }
    if (this.#opcode === closeOpcode) this.isClosed = true;
  }
}

/** A reader of the primitive types of Kafka's protocol. Throws RangeError past the last byte. */
export class WireReader {
  readonly bytes: Buffer;
  /** Index of the next byte to read. */
  position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  int8(): number {
    return this.bytes.readInt8(this.#advance(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#advance(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.#advance(8));
  }

  /** STRING: UTF-8 with its length as an int16 before it. */
  string(): string {
    const length = this.int16();
    return this.bytes.toString('utf8', this.position, this.#advance(length) + length);
  }

  /** NULLABLE_BYTES: bytes with their length as an int32 before them; -1 is null. Not copied. */
  nullableBytes(): Buffer | null {
    return this.#slice(this.int32());
  }

  /** VARINT: a signed number of 32 bits in zigzag form, seven bits to a byte. */
  varint(): number {
    const { bytes } = this;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.position];
      if (byte === undefined) break;
      this.position += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new RangeError('a varint does not end');
  }

  /**
   * VARLONG: the same with 64 bits. Used for times between records, which are exact in a double.
   */
  varlong(): number {
    const start = this.position;
    let value = 0;
    for (let factor = 1; this.position - start < 10; factor *= 0x80) {
      const byte = this.bytes[this.position];
      if (byte === undefined) break;
      this.position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw new RangeError('a varlong does not end');
  }

  /** Bytes with their length as a varint before them; -1 is null. Not copied. */
  varbytes(): Buffer | null {
    return this.#slice(this.varint());
  }

  /** Moves past varbytes. Returns true if they are this text in UTF-8, of which it makes no copy. */
  varbytesAre(text: string): boolean {
    const length = this.varint();
    const start = this.#advance(Math.max(0, length));
    // Characters beyond ASCII take several bytes.
    return length >= text.length && matchText(this.bytes, start, text) === length;
  }

  /** Moves past varbytes. Returns true if they are this text, which must be ASCII. */
  varbytesAreAscii(text: string): boolean {
    const length = this.varint();
    const start = this.#advance(Math.max(0, length));
    return length === text.length && matchText(this.bytes, start, text) === length;
  }

  /** Moves past varbytes. Returns false if they are null. */
  skipVarbytes(): boolean {
    const length = this.varint();
    this.#advance(Math.max(0, length));
    return length >= 0;
  }

  skip(length: number): void {
    this.position += length;
  }

  #slice(length: number): Buffer | null {
    if (length < 0) return null;
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** Moves past `length` bytes. Returns the index of the first of them. */
  #advance(length: number): number {
    const { position } = this;
    this.position += length;
    return position;
  }
}

/**
 * Returns the length of the text in bytes if the bytes have it at `start`, else -1. Makes no text of
 * the bytes, unless the text has characters beyond ASCII.
 */
export function matchText(bytes: Buffer, start: number, text: string): number {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return matchWideText(bytes, start, text);
    if (bytes[start + index] !== code) return -1;
  }
  return text.length;
}

function matchWideText(bytes: Buffer, start: number, text: string): number {
  const length = Buffer.byteLength(text);
  return bytes.toString('utf8', start, start + length) === text ? length : -1;
}

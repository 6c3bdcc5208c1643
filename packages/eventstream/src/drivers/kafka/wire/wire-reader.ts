/** Reads the primitives of Kafka's protocol. @throws RangeError past the end of the bytes */
export class WireReader {
  readonly bytes: Buffer;
  /** Where the next one is. */
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  int8(): number {
    return this.bytes.readInt8(this.#pass(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#pass(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#pass(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.#pass(8));
  }

  text(): string {
    const length = this.int16();
    return this.bytes.toString('utf8', this.at, this.#pass(length) + length);
  }

  /** A signed number in zigzag form, seven bits to a byte; of 32 bits. */
  varint(): number {
    const { bytes } = this;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.at];
      if (byte === undefined) break;
      this.at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new RangeError('a varint that does not end');
  }

  /** The same of 64 bits. Times between records: all of them are exact in a double. */
  varlong(): number {
    const start = this.at;
    let value = 0;
    for (let factor = 1; this.at - start < 10; factor *= 0x80) {
      const byte = this.bytes[this.at];
      if (byte === undefined) break;
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw new RangeError('a varlong that does not end');
  }

  /** Bytes with their length as a varint before them; -1 is null. They are not copied. */
  varbytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.#pass(length);
    return this.bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.at += length;
  }

  #pass(length: number): number {
    const { at } = this;
    this.at += length;
    return at;
  }
}

/** Beyond this a text is written by the platform, which costs a call but less for each letter. */
const maxLoopLength = 64;

/** Writes the primitives of Kafka's protocol into a buffer that is large enough for them. */
export class WireWriter {
  readonly bytes: Buffer;
  /** Where the next one goes. */
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  int8(value: number): void {
    this.bytes[this.at] = value;
    this.at += 1;
  }

  int16(value: number): void {
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  uint32(value: number): void {
    this.at = this.bytes.writeUInt32BE(value, this.at);
  }

  int64(value: bigint): void {
    this.at = this.bytes.writeBigInt64BE(value, this.at);
  }

  /** A signed number in zigzag form, seven bits to a byte. */
  varint(value: number): void {
    let rest = (value << 1) ^ (value >> 31);
    while ((rest & ~0x7f) !== 0) {
      this.int8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.int8(rest);
  }

  /** @param length of its UTF-8, in bytes */
  text(text: string, length: number): void {
    if (length !== text.length || length > maxLoopLength) {
      this.at += this.bytes.write(text, this.at, length, 'utf8');
      return;
    }
    for (let index = 0; index < length; index += 1) {
      this.bytes[this.at + index] = text.charCodeAt(index);
    }
    this.at += length;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
}

/** Bytes of `WireWriter.varint`. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag === 0 ? 1 : Math.ceil((32 - Math.clz32(zigzag)) / 7);
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  if (text.length > maxLoopLength) return Buffer.byteLength(text);
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text);
  }
  return text.length;
}

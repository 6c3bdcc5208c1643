/**
 * Longest text, in UTF-16 units, that is written in a loop here. Node's own writing costs a call
 * into C++, and less for each letter.
 */
const maxLoopLength = 64;

/** A writer of the primitive types of Kafka's protocol, with a size that the caller computed. */
export class WireWriter {
  readonly bytes: Buffer;
  /** Index of the next byte to write. */
  position = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  int8(value: number): void {
    this.bytes[this.position] = value;
    this.position += 1;
  }

  int16(value: number): void {
    this.position = this.bytes.writeInt16BE(value, this.position);
  }

  int32(value: number): void {
    this.position = this.bytes.writeInt32BE(value, this.position);
  }

  uint32(value: number): void {
    this.position = this.bytes.writeUInt32BE(value, this.position);
  }

  int64(value: bigint): void {
    this.position = this.bytes.writeBigInt64BE(value, this.position);
  }

  /** VARINT: a signed number of 32 bits in zigzag form, seven bits to a byte. */
  varint(value: number): void {
    let rest = (value << 1) ^ (value >> 31);
    while ((rest & ~0x7f) !== 0) {
      this.int8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.int8(rest);
  }

  /** Writes a text in UTF-8 without its length. @param length of its UTF-8, in bytes */
  utf8(text: string, length: number): void {
    if (length !== text.length || length > maxLoopLength) {
      this.position += this.bytes.write(text, this.position, length, 'utf8');
      return;
    }
    for (let index = 0; index < length; index += 1) {
      this.bytes[this.position + index] = text.charCodeAt(index);
    }
    this.position += length;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.position);
    this.position += bytes.length;
  }
}

/** Returns the number of bytes that `WireWriter.varint` writes. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag === 0 ? 1 : Math.ceil((32 - Math.clz32(zigzag)) / 7);
}

/** Returns the number of bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  if (text.length > maxLoopLength) return Buffer.byteLength(text);
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text);
  }
  return text.length;
}

/**
 * Frames of WebSocket as text of one byte per character (latin1). Strings are joined and written
 * faster than buffers, and what many connections share is in memory once.
 */

/** Ping without payload. */
export const pingFrame = '\x89\x00';

/** Converts text to its UTF-8 bytes, one character for each. */
export function toBytes(text: string): string {
  if (Buffer.byteLength(text) === text.length) return text;
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Writes the header of an unmasked text frame whose payload has `length` bytes. */
export function textFrameHeader(length: number): string {
  if (length < 126) return String.fromCharCode(0x81, length);
  if (length < 65_536) return String.fromCharCode(0x81, 126, length >> 8, length & 255);
  const bytes = [0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255];
  return String.fromCharCode(0x81, 127, ...bytes, length & 255);
}

/** Writes a text frame. */
export function textFrame(text: string): string {
  const bytes = toBytes(text);
  return textFrameHeader(bytes.length) + bytes;
}

const prefix = '{"type":"data","id":"';

/** Data frame of one event for many subscribers. The event is escaped once. */
export class DataFrame {
  readonly #tail: string;
  #head = '';
  #idLength = -1;

  /**
   * @param event text of the event
   * @param fields further fields of the frame, as JSON that begins with a comma
   */
  constructor(event: string, fields = '') {
    this.#tail = toBytes(`","event":${JSON.stringify(event)}${fields}}`);
  }

  /** Appends the frame for one subscriber to `frames`. */
  appendTo(frames: string, id: string): string {
    if (id.length !== this.#idLength) {
      this.#idLength = id.length;
      this.#head = textFrameHeader(prefix.length + id.length + this.#tail.length) + prefix;
    }
    return frames + this.#head + id + this.#tail;
  }

  /** Bytes of the frame without its id. */
  get length(): number {
    return this.#head.length + this.#tail.length;
  }
}

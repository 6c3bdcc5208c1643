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

/** Frame for many subscribers, who differ by their ids. */
export class SharedFrame {
  #head = '';
  #idLength = -1;

  /**
   * @param prefix payload before the id, and
   * @param tail behind it, both as `toBytes` gives them
   */
  constructor(
    private readonly prefix: string,
    private readonly tail: string,
  ) {}

  /** Appends the frame for one subscriber to `frames`. */
  appendTo(frames: string, id: string): string {
    if (id.length !== this.#idLength) {
      this.#idLength = id.length;
      const length = this.prefix.length + id.length + this.tail.length;
      this.#head = textFrameHeader(length) + this.prefix;
    }
    return frames + this.#head + id + this.tail;
  }
}

const dataPrefix = '{"type":"data","id":"';

/**
 * Fields that data frames of a subscription have besides the event: 0 is none, +1 the position, +2
 * the channel.
 */
export type FrameVariant = 0 | 1 | 2 | 3;

/** Data frames of one event. The event is escaped once; a variant is made when one needs it. */
export class EventFrames {
  readonly #event: string;
  readonly #variants: (SharedFrame | undefined)[] = [];

  /**
   * @param event text of the event
   * @param channel path, which needs no escapes
   * @param position undefined for an event that was not stored: its frames have no position
   */
  constructor(
    event: string,
    private readonly channel: string,
    private readonly position: bigint | undefined,
  ) {
    this.#event = toBytes(JSON.stringify(event));
  }

  of(variant: FrameVariant): SharedFrame {
    const known = this.#variants[variant];
    if (known !== undefined) return known;
    const tail = `","event":${this.#event}${this.#fieldsOf(variant)}}`;
    const frame = new SharedFrame(dataPrefix, tail);
    this.#variants[variant] = frame;
    return frame;
  }

  #fieldsOf(variant: FrameVariant): string {
    const { position, channel } = this;
    const hasPosition = (variant & 1) === 1 && position !== undefined;
    const positionField = hasPosition ? `,"position":"${position}"` : '';
    return (variant & 2) === 2 ? `${positionField},"channel":"${channel}"` : positionField;
  }
}

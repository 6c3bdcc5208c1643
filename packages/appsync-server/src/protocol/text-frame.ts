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

/** Data frame for many subscribers, who differ by their ids. */
export class DataFrame {
  readonly #tail: string;
  #head = '';
  #idLength = -1;

  /**
   * @param event text of the event as a JSON string, as `toBytes` gives it
   * @param fields further fields of the frame, as JSON that begins with a comma
   */
  constructor(event: string, fields = '') {
    this.#tail = `","event":${event}${fields}}`;
  }

  /** Appends the frame for one subscriber to `frames`. */
  appendTo(frames: string, id: string): string {
    if (id.length !== this.#idLength) {
      this.#idLength = id.length;
      this.#head = textFrameHeader(prefix.length + id.length + this.#tail.length) + prefix;
    }
    return frames + this.#head + id + this.#tail;
  }
}

/**
 * Fields that data frames of a subscription have besides the event: 0 is none, +1 the position, +2
 * the channel.
 */
export type FrameVariant = 0 | 1 | 2 | 3;

/** Data frames of one event. The event is escaped once; a variant is made when one needs it. */
export class EventFrames {
  readonly #event: string;
  readonly #variants: (DataFrame | undefined)[] = [];

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

  of(variant: FrameVariant): DataFrame {
    const known = this.#variants[variant];
    if (known !== undefined) return known;
    const frame = new DataFrame(this.#event, this.#fieldsOf(variant));
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

import type { Socket } from 'node:net';

/** Error of a receiver that sends bytes without end which are neither a header nor a body. */
export class FramingOverflowError extends Error {
  readonly code = 'RESPONSE_FRAMING_OVERFLOW';

  constructor(maxBytes: number) {
    super(
      `sent more than ${maxBytes} bytes that belong neither to a header nor to a body: its status line, or what surrounds the chunks of its body, has no end`,
    );
  }
}

/**
 * Bounds the bytes of a response that undici reads without reporting anything: a status line, the
 * extension of a chunk or empty lines before a response. undici limits the headers only, so without
 * this such a response would be read until the deadline of its request.
 *
 * Counts the bytes since the last report of undici: a response head, a part of the body, or the
 * start of a request. All that has been read when the count is compared has also been parsed.
 */
export class UnreportedBytes {
  readonly #maxBytes: number;
  #count = 0;

  /** @param maxBytes size limit of a response head, which is reported only when it is complete */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Counts every byte of the socket from now on, and closes it when there are too many. */
  attach(socket: Socket): void {
    const { read } = socket;
    socket.read = (size) => {
      const chunk: Buffer | null = read.call(socket, size);
      if (chunk === null) return null;
      if (this.#count > this.#maxBytes) {
        socket.destroy(new FramingOverflowError(this.#maxBytes));
        return null;
      }
      this.#count += chunk.length;
      return chunk;
    };
  }

  /** Must be called when undici reports progress. */
  reset(): void {
    this.#count = 0;
  }
}

/**
 * The least of HTTP/1.1 that keeps a benchmark honest: request heads and bodies with a
 * content-length, on connections that are kept alive, in any split of the bytes. Every
 * microsecond spent here is taken from the contenders, so a request that arrives in one
 * chunk (they nearly all do) costs two searches in it and no copy.
 */

const headEnd = Buffer.from('\r\n\r\n');
const maxHeadBytes = 16_384;
const contentLength = /\r\ncontent-length: *(\d+)/i;
const transferEncoding = /\r\ntransfer-encoding:/i;

/** Reads the requests of one connection. */
export class RequestReader {
  readonly #onRequest: (head: string) => void;
  /** Bytes of a head that is not complete yet. */
  #partialHead: Buffer | undefined;
  /** Head of the request whose body is being read. */
  #head = '';
  /** Bytes of that body still to come. */
  #bodyBytesLeft = 0;

  /** `onRequest` gets the head of every complete request, from its method to its last header. */
  constructor(onRequest: (head: string) => void) {
    this.#onRequest = onRequest;
  }

  /** @throws Error when the request has no end that this reader can find. */
  read(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#partialHead) {
      bytes = Buffer.concat([this.#partialHead, chunk]);
      this.#partialHead = undefined;
    }
    let at = 0;
    while (at < bytes.length) {
      at = this.#bodyBytesLeft > 0 ? this.#skipBody(bytes, at) : this.#readHead(bytes, at);
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(headEnd, at);
    if (end < 0) {
      if (bytes.length - at > maxHeadBytes) throw new Error('request head too large');
      this.#partialHead = bytes.subarray(at);
      return bytes.length;
    }
    const head = bytes.toString('latin1', at, end);
    if (transferEncoding.test(head)) throw new Error('transfer-encoding is not supported');
    this.#head = head;
    this.#bodyBytesLeft = Number(contentLength.exec(head)?.[1] ?? 0);
    if (this.#bodyBytesLeft === 0) this.#onRequest(head);
    return end + headEnd.length;
  }

  #skipBody(bytes: Buffer, at: number): number {
    const skipped = Math.min(this.#bodyBytesLeft, bytes.length - at);
    this.#bodyBytesLeft -= skipped;
    if (this.#bodyBytesLeft === 0) this.#onRequest(this.#head);
    return at + skipped;
  }
}

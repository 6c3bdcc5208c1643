/**
 * The part of HTTP/1.1 that the benchmark needs: request heads, and bodies with a content-length, on
 * kept-alive connections, split into any chunks. The receiver uses CPU time that the contenders then
 * lack, so a request in one chunk, the usual case, costs two searches and no copy.
 */

const headEnd = Buffer.from('\r\n\r\n');
const maxHeadBytes = 16_384;
const contentLength = /\r\ncontent-length: *(\d+)/i;
const transferEncoding = /\r\ntransfer-encoding:/i;

/** Reads the requests of one connection. */
export class RequestReader {
  readonly #onRequest: (head: string) => void;
  /** Bytes of an incomplete head. */
  #partialHead: Buffer | undefined;
  /** Head of the request whose body is being read. */
  #head = '';
  /** Bytes of that body that have not arrived yet. */
  #bodyBytesLeft = 0;

  /** @param onRequest gets the head of every complete request, from its method to its last header */
  constructor(onRequest: (head: string) => void) {
    this.#onRequest = onRequest;
  }

  /**
   * Reads the next bytes of the connection.
   * @throws Error if the end of the request cannot be found
   */
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

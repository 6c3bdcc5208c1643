import type { Failure } from './failure.js';

/** One HTTP request to send. */
export interface EgressRequest {
  /** Absolute URL, http or https, without credentials. */
  readonly url: string;
  /** Method as it is written on the wire: methods are case-sensitive. */
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  /**
   * The one deadline of the request, in ms. It covers the wait for a connection, DNS, connect, TLS,
   * response head and body.
   */
  readonly timeoutMs: number;
  /** Bytes of the response body that are kept. If there are more, the socket is closed. */
  readonly maxResponseBytes: number;
}

/**
 * Headers that the client sets itself. They frame the message, and `host` also names the TLS peer,
 * so a caller that could set them could change where the message ends or whose certificate counts.
 */
const reservedHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Returns the headers in undici's raw form: names and values in turn. `accept-encoding` is always
 * `identity`, in place of any that is given, because bodies are not decompressed. undici checks
 * that names and values are well formed.
 */
export function toRawHeaders(headers: EgressRequest['headers']): string[] | Failure {
  const raw: string[] = [];
  for (const [name, value] of headers) {
    const lowerCased = name.toLowerCase();
    if (reservedHeaders.has(lowerCased)) {
      const detail = `the header ${lowerCased} cannot be set: the HTTP client sets it itself`;
      return { reason: 'protocol', detail, permanent: true };
    }
    if (lowerCased !== 'accept-encoding') raw.push(name, value);
  }
  raw.push('accept-encoding', 'identity');
  return raw;
}

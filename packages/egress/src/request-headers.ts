import type { Failure } from './failure.js';

/** What the client itself decides: the framing of the message, and the host, which names the TLS peer as well. */
const ruledByClient: ReadonlySet<string> = new Set([
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
 * The headers as undici writes them: names and values in turn. `accept-encoding` is always
 * `identity`, in place of any that is given, because bodies are kept as they come. Whether names
 * and values are well formed is checked by undici.
 */
export function toRawHeaders(
  headers: readonly (readonly [name: string, value: string])[],
): string[] | Failure {
  const raw: string[] = [];
  for (const [name, value] of headers) {
    const lowerCased = name.toLowerCase();
    if (ruledByClient.has(lowerCased)) {
      const detail = `the header ${lowerCased} may not be given: the HTTP client sets it itself`;
      return { reason: 'protocol', detail, permanent: true };
    }
    if (lowerCased !== 'accept-encoding') raw.push(name, value);
  }
  raw.push('accept-encoding', 'identity');
  return raw;
}

/*
 * Masks of secrets in lists. Lists are read, copied and shown far more widely than the one callback
 * or endpoint that somebody looks at. That one has the whole values.
 */

const mask = '***';

/** Description of URLs in lists, for the API document. */
export const maskedUrlDescription =
  'Without its query, which often holds secrets: `?***` stands for it. The callback or endpoint by itself has the whole URL.';

/** Description of headers in lists, for the API document. */
export const maskedHeadersDescription =
  'Values of headers that are credentials, such as `authorization`, `cookie`, `x-api-key` and `x-auth-token`, are `***`. The endpoint by itself has them.';

/** Returns the URL as lists show it: keys in queries are common. */
export function maskQuery(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? url : `${url.slice(0, start)}?${mask}`;
}

/** Last words of names of headers whose values are credentials. */
const credentialName =
  /(?:^|[-_])(?:authorization|auth|cookie|credentials?|key|apikey|token|secret|password|passwd|signature|jwt)$/i;

/** Returns the headers as lists show them: without credentials. */
export function maskCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, credentialName.test(name) ? mask : value]),
  );
}

/** Mask of the query of a URL in lists. */
const mask = '?***';

/** Description of URLs in lists, for the API document. */
export const maskedUrlDescription =
  'Without its query, which often holds secrets: `?***` stands for it. The callback or endpoint by itself has the whole URL.';

/**
 * Returns the URL as lists show it: lists are read, copied and shown far more widely than the one
 * callback or endpoint that somebody looks at, and keys in queries are common.
 */
export function maskQuery(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? url : `${url.slice(0, start)}${mask}`;
}

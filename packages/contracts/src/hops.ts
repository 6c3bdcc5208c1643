/**
 * Header of every delivery: the number of deliveries that led to it, itself included. The gateway
 * refuses a request past a few of them: a callback whose URL is the platform's own would otherwise
 * call it again and again. Also a header of records, for events that a delivery published.
 */
export const hopsHeader = 'posthaste-hops';

/** Hops of a header that is no number, such as one that was sent twice: too many. */
const unreadable = 99;

/** Reads the header. Without it, the request or the record was made by no delivery: 0. */
export function parseHops(header: string | undefined): number {
  if (header === undefined) return 0;
  return /^\d{1,2}$/.test(header) ? Number(header) : unreadable;
}

/** Kind of failure. It decides the HTTP status, and whether a retry can help. */
export type ErrorType =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'too_large'
  | 'rate_limited'
  | 'unavailable'
  | 'timeout'
  | 'internal';

/** HTTP status of each error type. This is the only such table. */
export const httpStatusOf: Readonly<Record<ErrorType, number>> = {
  invalid: 422,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
  timeout: 504,
  internal: 500,
};

/** Types of failures after which the same call, unchanged, can succeed later. */
const retryableTypes: ReadonlySet<ErrorType> = new Set(['rate_limited', 'unavailable', 'timeout']);

/** True if a call that failed with this type of error can succeed later, unchanged. */
export function isRetryable(type: ErrorType): boolean {
  return retryableTypes.has(type);
}

import { CodedError } from './coded-error.js';
import { type ErrorCode, type ErrorCodeEntry, errorCodes } from './error-codes.js';

/** The catalogue without its literal types: an entry of another shape does not compile. */
const registry: Readonly<Record<ErrorCode, ErrorCodeEntry>> = errorCodes;

/** Options of `PlatformError`. */
export interface PlatformErrorOptions extends ErrorOptions {
  /** Facts for programs, such as the fields that are wrong. Reaches callers: never a secret. */
  readonly details?: unknown;
}

/** Error that every package throws: callers branch on `code`, people read `message`. */
export class PlatformError extends CodedError {
  constructor(code: ErrorCode, message: string, options: PlatformErrorOptions = {}) {
    super(code, message, { ...options, type: registry[code].type, status: registry[code].status });
    this.name = 'PlatformError';
  }

  /** Errors of packages without the catalogue are platform errors too. */
  static override [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    // biome-ignore-start lint/complexity/noThisInStatic: the class that is asked about, which subclasses inherit
    // Subclasses are told apart by their prototypes, as usual.
    return this === PlatformError
      ? value instanceof CodedError
      : Function.prototype[Symbol.hasInstance].call(this as () => unknown, value);
    // biome-ignore-end lint/complexity/noThisInStatic: see above
  }
}

/** RFC 9457 problem details, with the code. Media type: `application/problem+json`. */
export interface ProblemDetails {
  /** `urn:posthaste:error:<code>`: names the kind of problem. It cannot be fetched. */
  readonly type: string;
  /** Meaning of the code, the same for every occurrence. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** Description of this occurrence. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** Id of the request, to find it in the log. */
  readonly instance?: string;
  readonly details?: unknown;
}

/** Converts an error to the body of an HTTP response. A failure of type `internal` discloses no details. */
export function toProblemDetails(error: PlatformError, instance?: string): ProblemDetails {
  return {
    type: `urn:posthaste:error:${error.code}`,
    title: registry[error.code].meaning,
    status: error.httpStatus,
    detail: error.type === 'internal' ? 'internal error' : error.message,
    code: error.code,
    retryable: error.retryable,
    ...(instance === undefined ? {} : { instance }),
    ...(error.details === undefined || error.type === 'internal' ? {} : { details: error.details }),
  };
}

import type { ErrorCode } from './error-codes.js';
import { type ErrorType, httpStatusOf, isRetryable } from './error-types.js';

/** Options of a `CodedError`. */
export interface CodedErrorOptions extends ErrorOptions {
  /** Type of the code. */
  readonly type: ErrorType;
  /** HTTP status of the code, if it has one of its own. */
  readonly status?: number | undefined;
  /** Facts for programs. Reaches callers: never a secret. */
  readonly details?: unknown;
}

/**
 * Base of `PlatformError`, without the catalogue of codes and their texts, which browsers need not
 * load. A subclass names the type of its codes itself.
 */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly type: ErrorType;
  /** Facts for programs; `undefined` if there are none. */
  readonly details: unknown;
  readonly #status: number | undefined;

  constructor(code: ErrorCode, message: string, options: CodedErrorOptions) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.type = options.type;
    this.details = options.details;
    this.#status = options.status;
  }

  /** True if the same call can succeed later, unchanged. */
  get retryable(): boolean {
    return isRetryable(this.type);
  }

  /** Status of an HTTP response that carries this error. */
  get httpStatus(): number {
    return this.#status ?? httpStatusOf[this.type];
  }
}

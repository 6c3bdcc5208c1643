/**
 * Error class for packages that run in browsers and must be small. An instance is a `PlatformError`
 * for `instanceof`.
 */
export {
  CodedError as PlatformError,
  /** @public */ type CodedErrorOptions,
} from './coded-error.js';
export type { ErrorCode } from './error-codes.js';
export type { ErrorType } from './error-types.js';

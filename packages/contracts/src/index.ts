export {
  type ErrorCode,
  type ErrorCodeEntry,
  type ErrorType,
  errorCodes,
  httpStatusOf,
  PlatformError,
  type PlatformErrorOptions,
  type ProblemDetails,
  toProblemDetails,
} from './errors.js';
export { createIdSource, idLowerBound, idTime, newId, parseId, toCompactId } from './ids.js';

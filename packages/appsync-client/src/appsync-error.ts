import { type ErrorCode, type ErrorType, PlatformError } from '@posthaste/contracts/error';
import type { MessageError } from './protocol.js';

/** Cause of an error, as the Go client names it. */
export type AppSyncReason =
  | 'channel_not_subscribed'
  | 'connection_closed'
  | 'context_ended'
  | 'id_does_not_exist'
  | 'id_exists'
  | 'marshal_failed'
  | 'receive_failed'
  | 'server_error'
  | 'subscription_called'
  | 'timed_out'
  | 'type_assertion'
  | 'unsubscription_called'
  | 'unsupported_message_format';

/** Kind of each reason. */
const typeOf: Readonly<Record<AppSyncReason, ErrorType>> = {
  channel_not_subscribed: 'not_found',
  connection_closed: 'unavailable',
  context_ended: 'unavailable',
  id_does_not_exist: 'not_found',
  id_exists: 'conflict',
  marshal_failed: 'invalid',
  receive_failed: 'unavailable',
  server_error: 'forbidden',
  subscription_called: 'conflict',
  timed_out: 'timeout',
  type_assertion: 'invalid',
  unsubscription_called: 'conflict',
  unsupported_message_format: 'invalid',
};

/** Details of an `AppSyncError`. */
export interface AppSyncErrorOptions extends ErrorOptions {
  /** Errors that the server sent. */
  readonly errors?: readonly MessageError[];
}

/** Error of the client. `code` is `APPSYNC_` and the reason in capitals. */
export class AppSyncError extends PlatformError {
  readonly reason: AppSyncReason;
  /** Errors that the server sent; empty for other reasons. */
  readonly errors: readonly MessageError[];

  constructor(reason: AppSyncReason, message: string, options: AppSyncErrorOptions = {}) {
    const { errors = [], ...rest } = options;
    const code = `APPSYNC_${reason.toUpperCase()}` as ErrorCode;
    super(code, message, { ...rest, type: typeOf[reason], details: errors });
    this.name = 'AppSyncError';
    this.reason = reason;
    this.errors = errors;
  }
}

/** Creates the error of an operation that the server refused. */
export function toServerError(what: string, errors: readonly MessageError[]): AppSyncError {
  const [first] = errors;
  const why = first ? `: ${first.errorType}${first.message ? `, ${first.message}` : ''}` : '';
  return new AppSyncError('server_error', `the server refused ${what}${why}`, { errors });
}

/** True if a refusal cannot end by trying again with the same credential. */
export function isFinal(errors: readonly MessageError[]): boolean {
  return errors.some(
    ({ errorType, errorCode }) =>
      ['400', '401', '403'].includes(String(errorCode)) ||
      errorType === 'UnauthorizedException' ||
      errorType === 'BadRequestException',
  );
}

/** True if the server has refused the credential, so that another one may help. Denials (403) are not. */
export function isUnauthorized(error: unknown): boolean {
  return (
    error instanceof AppSyncError &&
    error.errors.some(({ errorType, errorCode }) =>
      errorCode === undefined ? errorType === 'UnauthorizedException' : String(errorCode) === '401',
    )
  );
}

/** True if the server has refused for good: neither a limit of rates nor a fault of its own. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof AppSyncError &&
    error.reason === 'server_error' &&
    !error.errors.some(
      ({ errorType, errorCode }) =>
        errorType === 'LimitExceededError' || /^(429|5..)$/.test(String(errorCode)),
    )
  );
}

/** Returns an error of the client; any other becomes the cause of one. */
export function toAppSyncError(error: unknown): AppSyncError {
  if (error instanceof AppSyncError) return error;
  return new AppSyncError('receive_failed', String(error), { cause: error });
}

/** Creates the error of something that the caller has aborted. */
export function toEnded(signal: AbortSignal | undefined): AppSyncError {
  return new AppSyncError('context_ended', 'the caller has aborted it', { cause: signal?.reason });
}

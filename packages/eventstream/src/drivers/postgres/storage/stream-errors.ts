import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import { sqlState } from '@posthaste/postgres';

const streamCodes: Partial<Record<ErrorCode, ErrorCode>> = {
  DATABASE_UNAVAILABLE: 'STREAM_UNAVAILABLE',
  DATABASE_FULL: 'STREAM_UNAVAILABLE',
  DATABASE_READ_ONLY: 'STREAM_UNAVAILABLE',
  DATABASE_CONFLICT: 'STREAM_UNAVAILABLE',
  DATABASE_TIMEOUT: 'STREAM_UNAVAILABLE',
  DATABASE_IN_USE: 'STREAM_UNAVAILABLE',
  DATABASE_OUTCOME_UNKNOWN: 'EVENT_OUTCOME_UNKNOWN',
};

/** SQL states for a wrong password, an unknown user, and a missing right to a table. */
const unauthorizedStates: ReadonlySet<string | undefined> = new Set(['28P01', '28000', '42501']);

/** Translates an error of the database to the codes of drivers. Other errors stay as they are. */
export function toStreamError(error: unknown): unknown {
  if (!(error instanceof PlatformError)) return error;
  const code = unauthorizedStates.has(sqlState(error))
    ? 'STREAM_UNAUTHORIZED'
    : streamCodes[error.code];
  return code ? new PlatformError(code, error.message, { cause: error }) : error;
}

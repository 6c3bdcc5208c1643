import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** What was going on when an error came. */
export interface Circumstances {
  /** `silent`: given up, because no answer came in time. */
  readonly connection: 'good' | 'lost' | 'silent';
  /** A COMMIT, or a statement that commits by itself, had been sent and not answered. */
  readonly mayHaveCommitted: boolean;
}

/** SQLSTATEs with a code of their own; two characters stand for a whole class. */
const codeBySqlState: Readonly<Record<string, ErrorCode>> = {
  '08': 'DATABASE_UNAVAILABLE', // connection exception
  '25006': 'DATABASE_READ_ONLY',
  '40001': 'DATABASE_CONFLICT', // serialization failure
  '40P01': 'DATABASE_CONFLICT', // deadlock
  '53': 'DATABASE_FULL', // disk, memory or connections
  '55P03': 'DATABASE_TIMEOUT', // lock not available within lock_timeout
  '57014': 'DATABASE_TIMEOUT', // cancelled, by statement_timeout as a rule
  '57P01': 'DATABASE_UNAVAILABLE', // shut down by an administrator
  '57P02': 'DATABASE_UNAVAILABLE', // shut down after a crash of another session
  '57P03': 'DATABASE_UNAVAILABLE', // starting up or shutting down
  '57P05': 'DATABASE_UNAVAILABLE', // idle session ended
};

const sqlStatePattern = /^[0-9A-Z]{5}$/;

/**
 * The SQLSTATE behind an error, such as `23505` for a unique violation; undefined when the error
 * does not come from the database server. Looks through `cause`.
 */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    // `severity` tells a server's error from a system error such as EPIPE.
    if (
      'code' in e &&
      'severity' in e &&
      typeof e.code === 'string' &&
      sqlStatePattern.test(e.code)
    )
      return e.code;
  }
  return undefined;
}

/** Translates what the driver throws. A PlatformError is passed on as it is. */
export function toPlatformError(error: unknown, circumstances: Circumstances): PlatformError {
  if (error instanceof PlatformError) return error;
  const state = sqlState(error);
  const isStale = isStalePlan(error) || isStaleRoute(error);
  const code = isStale ? 'DATABASE_CONFLICT' : codeOf(state, circumstances);
  return new PlatformError(code, describe(error, state), { cause: error });
}

/**
 * Translates what an attempt to connect threw. A server that answered and refused, because of a
 * wrong password for example, is `DATABASE_ERROR`: another attempt would not help.
 */
export function toConnectError(error: unknown): PlatformError {
  const connection = sqlState(error) === undefined ? 'lost' : 'good';
  return toPlatformError(error, { connection, mayHaveCommitted: false });
}

/** Whether the session is over with this error, even if the connection is still open. */
export function endsSession(error: unknown): error is Error {
  if (!(error instanceof Error && 'severity' in error)) return false;
  // The server may translate severities, so they are not enough.
  return (
    error.severity === 'FATAL' ||
    error.severity === 'PANIC' ||
    knownCode(sqlState(error)) === 'DATABASE_UNAVAILABLE'
  );
}

/**
 * Whether a prepared statement could not run because a migration has changed its result since. It
 * was not run at all, and prepared again it will work.
 */
export function isStalePlan(error: unknown): boolean {
  // The SQLSTATE says no more than "not supported"; the place in the server says which.
  return sqlState(error) === '0A000' && routineOf(error) === 'RevalidateCachedQuery';
}

/**
 * Whether a row was on its way into the default partition while its own was attached. It was not
 * written, and finds its partition when the statement is run again.
 */
export function isStaleRoute(error: unknown): boolean {
  return sqlState(error) === '23514' && routineOf(error) === 'ExecPartitionCheckEmitError';
}

/** The place in the server that an error comes from. */
function routineOf(error: unknown): unknown {
  return error instanceof Error && 'routine' in error ? error.routine : undefined;
}

function knownCode(state: string | undefined): ErrorCode | undefined {
  // Of the class of lost connections, but what a wrong number of parameters gives.
  if (state === undefined || state === '08P01') return undefined;
  return codeBySqlState[state] ?? codeBySqlState[state.slice(0, 2)];
}

function codeOf(state: string | undefined, circumstances: Circumstances): ErrorCode {
  const { connection, mayHaveCommitted } = circumstances;
  const known = knownCode(state);
  if (connection === 'good') return known ?? 'DATABASE_ERROR';
  // Whatever ended the session: the server may have committed before it could say so.
  if (mayHaveCommitted) return 'DATABASE_OUTCOME_UNKNOWN';
  return known ?? (connection === 'silent' ? 'DATABASE_TIMEOUT' : 'DATABASE_UNAVAILABLE');
}

function describe(error: unknown, state: string | undefined): string {
  const reason = reasonOf(error);
  return state === undefined ? reason : `${reason} (SQLSTATE ${state})`;
}

/** Node leaves the message empty when several addresses of a host were tried. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

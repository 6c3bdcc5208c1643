import { type ErrorCode, PlatformError } from '@posthaste/contracts';

/** State of the connection at the moment of an error. */
export interface ErrorContext {
  /** `silent`: closed, because no response came in time. */
  readonly connection: 'good' | 'lost' | 'silent';
  /** True if a COMMIT, or a statement that commits on its own, was sent and got no response. */
  readonly mayHaveCommitted: boolean;
}

/** Error codes by SQLSTATE; two characters stand for a whole class. */
const codeBySqlState: Readonly<Record<string, ErrorCode>> = {
  '08': 'DATABASE_UNAVAILABLE', // connection exception
  '25006': 'DATABASE_READ_ONLY',
  '40001': 'DATABASE_CONFLICT', // serialization failure
  '40P01': 'DATABASE_CONFLICT', // deadlock
  '53': 'DATABASE_FULL', // disk, memory or connections
  '55P03': 'DATABASE_TIMEOUT', // lock not available within lock_timeout
  '57014': 'DATABASE_TIMEOUT', // cancelled, usually by statement_timeout
  '57P01': 'DATABASE_UNAVAILABLE', // shut down by an administrator
  '57P02': 'DATABASE_UNAVAILABLE', // shut down after a crash of another session
  '57P03': 'DATABASE_UNAVAILABLE', // starting up or shutting down
  '57P05': 'DATABASE_UNAVAILABLE', // idle session ended
};

const sqlStatePattern = /^[0-9A-Z]{5}$/;

/**
 * Returns the SQLSTATE of an error, for example `23505` for a unique violation; undefined if the error
 * does not come from the database server. Follows `cause`.
 */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    // Errors of the server have a `severity`, system errors such as EPIPE do not.
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

/** Translates an error of the driver. A PlatformError is returned unchanged. */
export function toPlatformError(error: unknown, context: ErrorContext): PlatformError {
  if (error instanceof PlatformError) return error;
  const state = sqlState(error);
  const isStale = isStalePlan(error) || isStaleRoute(error);
  const code = isStale ? 'DATABASE_CONFLICT' : codeOf(state, context);
  return new PlatformError(code, describe(error, state), { cause: error });
}

/**
 * Translates an error of a connect. If the server refused the connection, for example because of a
 * wrong password, the code is `DATABASE_ERROR`: another try would not help.
 */
export function toConnectError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (isTlsFailure(error)) {
    const message = `no TLS connection to the database: ${reasonOf(error)}; check sslmode and sslrootcert in its URL`;
    return new PlatformError('DATABASE_ERROR', message, { cause: error });
  }
  const connection = sqlState(error) === undefined ? 'lost' : 'good';
  return toPlatformError(error, { connection, mayHaveCommitted: false });
}

/** Messages of the driver for a server without TLS; they have no code. */
const tlsRefusals = [
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
];

/** Codes of Node and OpenSSL for handshakes that fail, and for certificates that are not trusted. */
const tlsFailurePattern =
  /^(?:ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|HOSTNAME_MISMATCH)/;

/** True if a connection failed because of TLS: the server has none, or its certificate is refused. */
export function isTlsFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (tlsRefusals.includes(error.message)) return true;
  return 'code' in error && typeof error.code === 'string' && tlsFailurePattern.test(error.code);
}

/** True if the session ends with this error, even if the connection is still open. */
export function endsSession(error: unknown): error is Error {
  if (!(error instanceof Error && 'severity' in error)) return false;
  // The server may translate severities, so the code is checked as well.
  return (
    error.severity === 'FATAL' ||
    error.severity === 'PANIC' ||
    knownCode(sqlState(error)) === 'DATABASE_UNAVAILABLE'
  );
}

/**
 * True if a prepared statement was refused because a migration has changed its result type. It did not
 * run at all, and works when it is prepared again.
 */
export function isStalePlan(error: unknown): boolean {
  // The SQLSTATE means "not supported" in general; the routine of the server identifies the case.
  return sqlState(error) === '0A000' && routineOf(error) === 'RevalidateCachedQuery';
}

/**
 * True if a row was routed to the default partition while its own partition was attached. It was not
 * written, and is routed to its partition when the statement runs again.
 */
export function isStaleRoute(error: unknown): boolean {
  return sqlState(error) === '23514' && routineOf(error) === 'ExecPartitionCheckEmitError';
}

/** Returns the routine of the server that raised the error. */
function routineOf(error: unknown): unknown {
  return error instanceof Error && 'routine' in error ? error.routine : undefined;
}

function knownCode(state: string | undefined): ErrorCode | undefined {
  // In the class of lost connections, but caused by a wrong number of parameters.
  if (state === undefined || state === '08P01') return undefined;
  return codeBySqlState[state] ?? codeBySqlState[state.slice(0, 2)];
}

function codeOf(state: string | undefined, context: ErrorContext): ErrorCode {
  const { connection, mayHaveCommitted } = context;
  const known = knownCode(state);
  if (connection === 'good') return known ?? 'DATABASE_ERROR';
  // Whatever ended the session, the server may have committed before it could respond.
  if (mayHaveCommitted) return 'DATABASE_OUTCOME_UNKNOWN';
  return known ?? (connection === 'silent' ? 'DATABASE_TIMEOUT' : 'DATABASE_UNAVAILABLE');
}

function describe(error: unknown, state: string | undefined): string {
  const reason = reasonOf(error);
  return state === undefined ? reason : `${reason} (SQLSTATE ${state})`;
}

/** Returns the message of an error. Node leaves it empty if several addresses of a host were tried. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

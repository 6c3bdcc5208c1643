import pg from 'pg';

/**
 * Settings that the code depends on. A database or a role may have others (`alter database … set`), so
 * each new session sets them.
 *
 * Not among them, on purpose: `default_transaction_read_only`, because operators and providers stop
 * writes with it, for example before a disk is full; `search_path`, because every statement of the
 * platform names its schema; `lock_timeout` and `idle_in_transaction_session_timeout`, which are limits
 * of the operator.
 */
const pinned: Readonly<Record<string, string>> = {
  // Forms of values in results, which the decoders read.
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  // Shortest text that is exactly the number. Less than 1 rounds, also times as `extract(epoch …)`.
  extra_float_digits: '1',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  // Meaning of values and literals in statements.
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  // Statements that lock rows and read them again would fail at any other level.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // A statement may fail, such as one that breaks a unique key: the session goes on.
  exit_on_error: 'off',
  // Sessions that LISTEN are idle most of the time.
  idle_session_timeout: '0',
};

/** State of a new session that decides if it can be used. */
export interface SessionFacts {
  /** Process id of the server process behind the connection. */
  readonly pid: number;
  readonly encoding: string;
  readonly replication_role: string;
}

/**
 * Returns the statement that applies settings to a session and answers with `SessionFacts`. It is one
 * statement of the simple protocol, so it costs one round trip. Poolers refuse unknown settings in the
 * startup message, and accept this.
 * @param settings settings in addition to those that the code depends on, which win
 */
export function setUpStatement(settings: Readonly<Record<string, string>> = {}): string {
  const calls = Object.entries({ ...settings, ...pinned }).map(([name, value]) => {
    const literal = pg.escapeLiteral(name);
    const call = `set_config(${literal}, ${pg.escapeLiteral(value)}, false)`;
    // Servers before version 14 do not know it.
    return name === 'idle_session_timeout'
      ? `case when current_setting(${literal}, true) is not null then ${call} end`
      : call;
  });
  return `select ${calls.join(', ')}, pg_backend_pid() as pid,
    current_setting('server_encoding') as encoding,
    current_setting('session_replication_role') as replication_role`;
}

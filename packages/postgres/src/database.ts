/** One SQL statement. */
export interface Statement {
  readonly text: string;
  /**
   * Name of the prepared statement: at most 63 bytes, unique among all statements on the handle. A
   * named statement is parsed and planned once per connection, and runs faster from then on.
   */
  readonly name?: string;
}

/** Result of one statement. */
export interface QueryResult<Row> {
  readonly rows: Row[];
  /** Number of rows that were returned or changed. */
  readonly rowCount: number;
}

/** Runs statements: a handle, or a transaction on it. */
export interface Queryable {
  /**
   * Runs one statement. The README of the package has a table of the values in and out, which are the
   * same on both engines. Text without values may contain several statements; the result is that of
   * the last one.
   * @throws PlatformError `DATABASE_*`
   */
  query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
}

/**
 * A transaction in progress. Statements can be sent without awaiting each; they run in order. It ends
 * with the function that it was passed to, and refuses statements from then on.
 */
export interface Transaction extends Queryable {}

/** Options of one transaction. */
export interface TransactionOptions {
  /** Longest time of each of its statements, in ms; 0 is no limit. Default: that of the handle. */
  readonly statementTimeoutMs?: number;
}

/** Hold on one callback for the notifications of a channel. */
export interface Listener {
  /** Stops the calls. Idempotent. */
  close(): Promise<void>;
}

/** Numbers of connections of a handle. */
export interface PoolStats {
  /** Open connections, busy and idle. */
  readonly total: number;
  readonly idle: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** Handle on a database, real Postgres or embedded. All its errors are PlatformErrors. */
export interface Database extends Queryable {
  readonly kind: 'postgres' | 'embedded';
  /**
   * Runs `work` in a transaction. It is committed if `work` resolves, and rolled back if `work`
   * rejects; the error of `work` is thrown again. Inside, use the transaction and not the handle: the
   * embedded engine has one connection, so a statement on the handle would wait for the transaction
   * that waits for it.
   * @throws PlatformError `DATABASE_*`; `DATABASE_OUTCOME_UNKNOWN` if the commit got no response
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Calls `onNotification` for every NOTIFY on `channel`, also after the connection was lost and
   * opened again. Notifications sent in between are lost; `onReconnect` is called so that the caller
   * can react.
   * @throws PlatformError `DATABASE_*` if LISTEN fails
   */
  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<Listener>;
  /**
   * Checks that the database responds.
   * @throws PlatformError `DATABASE_*` if it does not
   */
  ping(): Promise<void>;
  poolStats(): PoolStats;
  /** Waits for running statements, then closes every connection. Idempotent. */
  close(): Promise<void>;
}

/** Logger for problems that no caller gets as an error. pino's logger fits. */
export interface DatabaseLogger {
  warn(fields: object, message: string): void;
}

/** Default logger of a handle: discards everything. */
export const silentLogger: DatabaseLogger = { warn: () => undefined };

/** One SQL statement. */
export interface Statement {
  readonly text: string;
  /**
   * At most 63 bytes and unique among all statements on the handle. A statement with a name is
   * parsed and planned once per connection, and runs faster from then on.
   */
  readonly name?: string;
}

export interface QueryResult<Row> {
  readonly rows: Row[];
  /** Rows returned or changed. */
  readonly rowCount: number;
}

/** What runs statements: the handle itself, or a transaction on it. */
export interface Queryable {
  /**
   * Runs one statement. Values in and out are the same on both engines: see the package's README.
   * Text without values may hold several statements; the result is then the last one's.
   * @throws PlatformError `DATABASE_*`
   */
  query<Row = unknown>(
    statement: Statement | string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
}

/**
 * A transaction in progress. Statements may be sent without awaiting each; they run in order.
 * It ends with the function it was given to, and refuses statements from then on.
 */
export interface Transaction extends Queryable {}

export interface TransactionOptions {
  /** Longest time of each statement in it, in milliseconds; 0 is no limit. Default: the handle's. */
  readonly statementTimeoutMs?: number;
}

/** A subscription to one channel. */
export interface Listener {
  /** Stops it. May be called twice. */
  close(): Promise<void>;
}

/** Connections of a handle. */
export interface PoolStats {
  /** Open, busy and idle together. */
  readonly total: number;
  readonly idle: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** A database, real Postgres or embedded. Every error that leaves it is a PlatformError. */
export interface Database extends Queryable {
  readonly kind: 'postgres' | 'embedded';
  /**
   * Runs `work` in a transaction: committed when it resolves, rolled back when it rejects, with its
   * error passed on. Inside, use the transaction and not the handle: the embedded engine has one
   * connection, and a statement on the handle would wait for the transaction it is part of.
   * @throws PlatformError `DATABASE_*`; `DATABASE_OUTCOME_UNKNOWN` when the commit got no answer
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Calls `onNotification` for every NOTIFY on `channel`, also after the connection was lost and
   * came back; notifications sent meanwhile are gone, and `onReconnect` says so.
   * @throws PlatformError `DATABASE_*` when the channel cannot be listened to now
   */
  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<Listener>;
  /** @throws PlatformError `DATABASE_*` when the database does not answer */
  ping(): Promise<void>;
  poolStats(): PoolStats;
  /** Waits for what runs, then closes every connection. May be called twice. */
  close(): Promise<void>;
}

/** Where the handle reports what no caller gets as an error. pino's logger fits. */
export interface DatabaseLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** For a handle that was given no logger. */
export const silentLogger: DatabaseLogger = { info: () => undefined, warn: () => undefined };

import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { Statement } from '../database.js';
import { endsSession, isStalePlan, isStaleRoute, toPlatformError } from '../errors.js';
import { encodeValues } from '../values/encode-values.js';

/** A statement in the form of the driver. drizzle asks for rows as arrays, with its own decoders. */
export interface DriverStatement extends Statement {
  readonly rowMode?: 'array';
  readonly types?: pg.CustomTypesConfig;
}

/** Result of one statement in the form of the driver. */
export type DriverResult<Row> = pg.QueryResult<pg.QueryResultRow & Row>;

/** Result of a text that may hold several statements. */
type DriverAnswer<Row> = DriverResult<Row> | DriverResult<Row>[];

/** Effect of one run of a statement. */
export interface RunOptions {
  /** True if the statement commits when it succeeds: on its own, or because it is a COMMIT. */
  readonly commits: boolean;
  /** True if the statement runs for the second time, because its rows have another partition now. */
  readonly isRepeated?: boolean;
}

/** Options of a statement that commits. Constants, so that no statement allocates an object. */
export const committing: RunOptions = { commits: true };
const notCommitting: RunOptions = { commits: false };
const committingAgain: RunOptions = { commits: true, isRepeated: true };

/**
 * One connection: pg's client, extended by the state of the connection and by the time for which the
 * server has not responded.
 */
export class Session extends pg.Client {
  /** Longest wait for a response, in ms; 0 is no limit. `ConnectionWatchdog` enforces it. */
  responseTimeoutMs = 0;
  #lost: Error | undefined;
  #silent = false;
  /** Statements without a response yet. */
  #pending = 0;
  #waitingSince = 0;
  /** Names of prepared statements that became stale, with the names that replace them. */
  #renamed: Map<string, string> | undefined;
  #renames = 0;

  constructor(config: pg.ClientConfig) {
    super(config);
    // Without a listener, an error on an idle connection would end the process.
    this.on('error', (error) => {
      this.#lost ??= error;
    });
  }

  /** Id of the server process, as announced when the connection was opened. */
  get announcedPid(): number | null {
    return (this as unknown as { readonly processID: number | null }).processID;
  }

  /** Error that ended the connection; undefined while it is good. */
  get lossCause(): Error | undefined {
    return this.#lost;
  }

  /** True if the connection is lost, or is about to be closed. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Runs one statement. Several can be sent without awaiting each; they run in order.
   * @param options default: the statement does not commit
   * @throws PlatformError `DATABASE_*`
   */
  async run<Row>(
    statement: DriverStatement | string,
    values?: readonly unknown[],
    options: RunOptions = notCommitting,
  ): Promise<DriverResult<Row>> {
    if (this.#lost) {
      throw new PlatformError('DATABASE_UNAVAILABLE', 'the database connection was lost', {
        cause: this.#lost,
      });
    }
    try {
      return await this.#send<Row>(statement, values);
    } catch (error) {
      const { commits, isRepeated = false } = options;
      // The last response arrives before the socket closes; no statement may be sent after it.
      if (endsSession(error)) this.#lost ??= error;
      if (typeof statement === 'object' && isStalePlan(error)) {
        this.#renameStatement(statement);
        // In a transaction the error has aborted the whole transaction: its caller must retry.
        if (commits) return this.run(statement, values, committing);
      }
      if (commits && !isRepeated && isStaleRoute(error)) {
        return this.run(statement, values, committingAgain);
      }
      throw toPlatformError(error, {
        connection: this.#silent ? 'silent' : this.#lost ? 'lost' : 'good',
        mayHaveCommitted: commits,
      });
    }
  }

  /** Closes the connection if the server has not responded within the time limit. */
  abortIfOverdue(nowMs: number): void {
    if (this.responseTimeoutMs === 0 || this.#pending === 0) return;
    if (nowMs - this.#waitingSince < this.responseTimeoutMs) return;
    this.#silent = true;
    this.abort(new Error(`no response within ${this.responseTimeoutMs} ms`));
  }

  /** Closes the connection if it has a time limit for responses. */
  abortIfTimeLimited(): void {
    if (this.responseTimeoutMs !== 0) this.abort(new Error('the connection did not end'));
  }

  /** Closes the connection at once; statements in flight fail. */
  abort(reason: Error): void {
    this.#lost ??= reason;
    this.connection.stream.destroy(reason);
  }

  /** Gives a statement another name, because the driver prepares a name only once per connection. */
  #renameStatement({ name = '' }: Statement): void {
    this.#renamed ??= new Map();
    this.#renamed.set(name, `${name.slice(0, 50)}#${++this.#renames}`);
  }

  #send<Row>(
    given: DriverStatement | string,
    values: readonly unknown[] | undefined,
  ): Promise<DriverResult<Row>> {
    const encoded = values && encodeValues(values);
    const statement = this.#renamed ? renamed(given, this.#renamed) : given;
    return new Promise((resolve, reject) => {
      if (this.#pending++ === 0) this.#waitingSince = performance.now();
      const settle = (error: Error | null, answer: DriverAnswer<Row>): void => {
        this.#pending--;
        this.#waitingSince = performance.now();
        if (error) reject(error);
        else resolve(Array.isArray(answer) ? lastOf(answer) : answer);
      };
      (this as CallbackClient<Row>).query(statement, encoded, settle);
    });
  }
}

/** pg's `query` with a callback. Its promise form would allocate two more promises. */
interface CallbackClient<Row> {
  query(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
    settle: (error: Error | null, answer: DriverAnswer<Row>) => void,
  ): void;
}

function renamed(
  statement: DriverStatement | string,
  names: ReadonlyMap<string, string>,
): DriverStatement | string {
  if (typeof statement === 'string' || statement.name === undefined) return statement;
  const name = names.get(statement.name);
  return name === undefined ? statement : { ...statement, name };
}

/** Returns the last result of a text that holds several statements. */
function lastOf<Row>(results: DriverResult<Row>[]): DriverResult<Row> {
  return results[results.length - 1] as DriverResult<Row>;
}

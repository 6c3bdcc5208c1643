import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { Statement } from '../database.js';
import { endsSession, isStalePlan, isStaleRoute, toPlatformError } from '../errors.js';
import { encodeValues } from '../values/encode-values.js';

/** A statement as the driver takes it. drizzle asks for rows as arrays and brings its own decoders. */
export interface DriverStatement extends Statement {
  readonly rowMode?: 'array';
  readonly types?: pg.CustomTypesConfig;
}

/** What the driver answers. */
export type DriverResult<Row> = pg.QueryResult<pg.QueryResultRow & Row>;

type DriverAnswer<Row> = DriverResult<Row> | DriverResult<Row>[];

/**
 * One connection: pg's client, which also knows whether it is still good, and how long the server
 * has owed it an answer.
 */
export class Session extends pg.Client {
  /** Longest wait for an answer, in milliseconds; 0 is no limit. `AnswerWatch` enforces it. */
  answerLimitMs = 0;
  #lost: Error | undefined;
  #silent = false;
  #unanswered = 0;
  #waitingSince = 0;
  /** Names of prepared statements that went stale, and the names that replace them. */
  #renamed: Map<string, string> | undefined;
  #renames = 0;

  constructor(config: pg.ClientConfig) {
    super(config);
    // Without a listener, an error on an idle connection would end the process.
    this.on('error', (error) => {
      this.#lost ??= error;
    });
  }

  /** Whether the connection is gone, or about to be. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Runs one statement. Several may be sent without awaiting each; they run in order.
   * @param commits whether the statement, when it succeeds, makes something durable
   * @param isRepeated whether it is run again, because its rows have another partition now
   * @throws PlatformError `DATABASE_*`
   */
  async run<Row>(
    statement: DriverStatement | string,
    values: readonly unknown[] | undefined,
    commits: boolean,
    isRepeated = false,
  ): Promise<DriverResult<Row>> {
    if (this.#lost) {
      throw new PlatformError('DATABASE_UNAVAILABLE', 'the database connection was lost', {
        cause: this.#lost,
      });
    }
    try {
      return await this.#send<Row>(statement, values);
    } catch (error) {
      // The last answer comes before the socket closes: no statement may follow it.
      if (endsSession(error)) this.#lost ??= error;
      if (typeof statement === 'object' && isStalePlan(error)) {
        this.#prepareAnew(statement);
        // In a transaction the error has spoilt more than this statement: its owner must retry.
        if (commits) return this.run(statement, values, commits);
      }
      if (commits && !isRepeated && isStaleRoute(error)) {
        return this.run(statement, values, commits, true);
      }
      throw toPlatformError(error, {
        connection: this.#silent ? 'silent' : this.#lost ? 'lost' : 'good',
        mayHaveCommitted: commits,
      });
    }
  }

  /** Closes the connection when the server has owed an answer for longer than the limit. */
  abortWhenOverdue(nowMs: number): void {
    if (this.answerLimitMs === 0 || this.#unanswered === 0) return;
    if (nowMs - this.#waitingSince < this.answerLimitMs) return;
    this.#silent = true;
    this.abort(new Error(`no answer within ${this.answerLimitMs} ms`));
  }

  /** Closes the connection, unless any wait for its server is in order. */
  abortWhenLimited(): void {
    if (this.answerLimitMs !== 0) this.abort(new Error('the connection did not end'));
  }

  /** Ends the connection at once; statements in flight fail. */
  abort(reason: Error): void {
    this.#lost ??= reason;
    this.connection.stream.destroy(reason);
  }

  /** The driver prepares a name once per connection: the statement goes on under another. */
  #prepareAnew({ name = '' }: Statement): void {
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
      if (this.#unanswered++ === 0) this.#waitingSince = performance.now();
      const settle = (error: Error | null, answer: DriverAnswer<Row>): void => {
        this.#unanswered--;
        this.#waitingSince = performance.now();
        if (error) reject(error);
        else resolve(Array.isArray(answer) ? lastOf(answer) : answer);
      };
      (this as CallbackClient<Row>).query(statement, encoded, settle);
    });
  }
}

/** pg's `query` with a callback: its promise form makes two promises more. */
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

/** Several statements in one text give several results. */
function lastOf<Row>(results: DriverResult<Row>[]): DriverResult<Row> {
  return results[results.length - 1] as DriverResult<Row>;
}

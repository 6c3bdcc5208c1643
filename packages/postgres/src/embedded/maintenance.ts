import type { DatabaseLogger, Queryable } from '../database.js';

/** Time between two runs, in ms. */
const intervalMs = 15_000;

/** Size of the write-ahead log at which a checkpoint is due, in bytes: recovery then takes about 1 s. */
const checkpointBytes = 64 * 1024 * 1024;

const readLog = {
  name: 'posthaste_maintenance_log',
  text: `
    select pg_current_wal_insert_lsn()::text as position,
      pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::int8 as since_checkpoint
    from pg_control_checkpoint()`,
};

/**
 * Finds tables by the rule of autovacuum: a fixed number of changed rows plus a share of the table's
 * rows. Toast tables are vacuumed with their table.
 */
const findTablesToVacuum = {
  name: 'posthaste_maintenance_tables',
  text: `
    select format('%I.%I', used.schemaname, used.relname) as name
    from pg_stat_all_tables as used join pg_class as stored on stored.oid = used.relid
    where used.schemaname <> 'pg_toast'
      and (used.n_dead_tup > 2000 + 0.2 * greatest(stored.reltuples, 0)
        or used.n_mod_since_analyze > 2000 + 0.1 * greatest(stored.reltuples, 0))
    order by used.n_dead_tup desc`,
};

/**
 * Does the work that a server leaves to background processes, which PGlite lacks. Without checkpoints
 * the write-ahead log and the recovery time grow without limit; without vacuum and statistics tables
 * grow and query plans become bad.
 */
export class EmbeddedMaintenance {
  readonly #db: Queryable;
  readonly #logger: DatabaseLogger;
  readonly #timer: NodeJS.Timeout;
  #position: string | undefined;
  #running = false;
  #stopped = false;

  constructor(db: Queryable, logger: DatabaseLogger) {
    this.#db = db;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.#runOnce(), intervalMs);
    this.#timer.unref();
  }

  /** Does the work that is due, one statement at a time, so that other statements run in between. */
  async run(): Promise<void> {
    const { rows } = await this.#db.query<{ position: string; since_checkpoint: bigint }>(readLog);
    const [log] = rows;
    // Nothing was written since the last run.
    if (!log || log.position === this.#position) return;
    const tables = await this.#db.query<{ name: string }>(findTablesToVacuum);
    for (const { name } of tables.rows) {
      if (this.#stopped) return;
      await this.#db.query(`vacuum (analyze) ${name}`);
    }
    if (log.since_checkpoint > checkpointBytes) await this.#db.query('checkpoint');
    this.#position = log.position;
  }

  /** Stops the timer, and starts no further statement. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #runOnce(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.run();
    } catch (error) {
      if (!this.#stopped)
        this.#logger.warn({ err: error }, 'maintenance of the embedded database failed');
    }
    this.#running = false;
  }
}

import type { DatabaseLogger, Queryable } from '../database.js';

const intervalMs = 15_000;

/** Log to be read again after a crash, in bytes: about a second's work. */
const checkpointBytes = 64 * 1024 * 1024;

const readLog = {
  name: 'posthaste_upkeep_log',
  text: `
    select pg_current_wal_insert_lsn()::text as position,
      pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::int8 as since_checkpoint
    from pg_control_checkpoint()`,
};

/** Like autovacuum: a base, and a share of the table's rows. Toast tables go with their own. */
const findWornTables = {
  name: 'posthaste_upkeep_tables',
  text: `
    select format('%I.%I', used.schemaname, used.relname) as name
    from pg_stat_all_tables as used join pg_class as stored on stored.oid = used.relid
    where used.schemaname <> 'pg_toast'
      and (used.n_dead_tup > 2000 + 0.2 * greatest(stored.reltuples, 0)
        or used.n_mod_since_analyze > 2000 + 0.1 * greatest(stored.reltuples, 0))
    order by used.n_dead_tup desc`,
};

/**
 * What a server does by processes of its own, and PGlite, which is one process, leaves undone:
 * checkpoints, without which the log and the recovery grow for ever, and vacuum and statistics,
 * without which tables grow and plans go wrong.
 */
export class EmbeddedUpkeep {
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

  /** Does what is due, in statements of its own, so that others come in between. */
  async run(): Promise<void> {
    const { rows } = await this.#db.query<{ position: string; since_checkpoint: bigint }>(readLog);
    const [log] = rows;
    // Nothing was written since.
    if (!log || log.position === this.#position) return;
    const worn = await this.#db.query<{ name: string }>(findWornTables);
    for (const { name } of worn.rows) {
      if (this.#stopped) return;
      await this.#db.query(`vacuum (analyze) ${name}`);
    }
    if (log.since_checkpoint > checkpointBytes) await this.#db.query('checkpoint');
    this.#position = log.position;
  }

  /** Starts nothing more. */
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
      if (!this.#stopped) this.#logger.warn({ err: error }, 'database upkeep failed');
    }
    this.#running = false;
  }
}

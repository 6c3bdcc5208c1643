import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Queryable } from '@posthaste/postgres';
import { registerNames } from './application-store.js';

/** Tables of another package in which applications were named before there was a registry. */
export interface NameSource {
  /** Name of the source, under which its progress is recorded. Never changes. */
  readonly source: string;
  /**
   * Returns the next `limit` distinct names after `after`, in the order of the database; fewer only
   * at the end. Must be cheap however many rows there are.
   */
  readonly list: (after: string | undefined, limit: number) => Promise<readonly string[]>;
}

/** Options of the discovery. */
export interface NameDiscoveryOptions {
  /** Names per statement. Default 100. */
  readonly batchSize?: number | undefined;
  /** Wait between two statements, in ms. Default 20. */
  readonly pauseMs?: number | undefined;
  /** Wait after a failure, in ms. Default 5,000. */
  readonly retryMs?: number | undefined;
  /** Called with the failure. It is tried again. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Position of the discovery in one source. */
interface Progress {
  /** Last name that is registered; undefined before the first. */
  readonly after: string | undefined;
  readonly isDone: boolean;
}

/**
 * Registration of the names of applications that the sources have, in the background and once per
 * source: the progress is in the database. Several processes may do so at a time.
 */
export class NameDiscovery {
  readonly #db: Database;
  readonly #options: NameDiscoveryOptions;
  readonly #stop = new AbortController();
  #run: Promise<void> | undefined;

  constructor(db: Database, options: NameDiscoveryOptions = {}) {
    this.#db = db;
    this.#options = options;
  }

  /** Starts, if it has not started. Resolves when all names are registered, or after `close`. */
  start(sources: readonly NameSource[]): Promise<void> {
    this.#run ??= this.#runAll(sources);
    return this.#run;
  }

  /** Stops. The next start goes on where it was. Idempotent. The database stays open. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }

  async #runAll(sources: readonly NameSource[]): Promise<void> {
    const { retryMs = 5_000, onError = () => undefined } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        for (const source of sources) await this.#runSource(source);
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        onError(error);
        await this.#pause(retryMs);
      }
    }
  }

  async #runSource({ source, list }: NameSource): Promise<void> {
    const { batchSize = 100, pauseMs = 20 } = this.#options;
    let progress = await readProgress(this.#db, source);
    while (!progress.isDone && !this.#stop.signal.aborted) {
      const names = await list(progress.after, batchSize);
      progress = { after: names.at(-1) ?? progress.after, isDone: names.length < batchSize };
      const { after, isDone } = progress;
      await this.#db.transaction(async (tx) => {
        await registerNames(tx, names);
        await tx.query(writeProgress, [source, after ?? null, isDone]);
      });
      if (!isDone) await this.#pause(pauseMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}

async function readProgress(db: Queryable, source: string): Promise<Progress> {
  const { rows } = await db.query<{ after: string | null; done: boolean }>(
    `select last_name as after, finished_at is not null as done
     from gateway.name_discovery where source = $1`,
    [source],
  );
  const { after = null, done = false } = rows[0] ?? {};
  return { after: after ?? undefined, isDone: done };
}

const writeProgress = `
insert into gateway.name_discovery as d (source, last_name, finished_at)
values ($1, $2, case when $3::boolean then now() end)
on conflict (source) do update set last_name = excluded.last_name,
  finished_at = coalesce(d.finished_at, excluded.finished_at)`;

import { listRetentions } from '@posthaste/access';
import { dropExpiredOf } from '@posthaste/callbacks';
import type { Database } from '@posthaste/postgres';

/**
 * Removal of callbacks that are past the retention of their application. The retention of all drops
 * whole days; an application with a shorter one has its callbacks removed earlier, in slices.
 */
export class ApplicationRetentions {
  readonly #db: Database;
  /** Position by application: what is alive longer than its retention is passed over once a round. */
  readonly #positions = new Map<string, string>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Removes one slice of each application. Returns true if one of them has more. */
  async run(): Promise<boolean> {
    const retentions = await listRetentions(this.#db);
    for (const { application, retentionMs } of retentions) {
      const after = this.#positions.get(application);
      const { next } = await dropExpiredOf(this.#db, { application, retentionMs, after });
      if (next === undefined) this.#positions.delete(application);
      else this.#positions.set(application, next);
    }
    return retentions.some(({ application }) => this.#positions.has(application));
  }
}

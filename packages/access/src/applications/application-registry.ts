import { type Applications, PlatformError } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import type { Erasure } from '../erasures/erasure.js';
import { findRemovals } from '../erasures/erasure-store.js';
import type { Application, ApplicationChange } from './application.js';
import {
  type ApplicationPage,
  findApplication,
  insertApplication,
  listApplications,
  updateApplication,
} from './application-store.js';
import { type ApplicationUsage, readUsage } from './usage-store.js';

/** Applications of a database. Needs `accessMigrations`. */
export class ApplicationRegistry {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /**
   * Creates an application.
   * @throws PlatformError `APPLICATION_EXISTS`; `APPLICATION_DELETING` if one of this name is being
   *   removed, or was until now; `DATABASE_*`
   */
  async create(name: string, settings: ApplicationChange = {}): Promise<Application> {
    const created = await insertApplication(this.#db, name, settings);
    if (created) return created;
    const present = await findApplication(this.#db, name);
    if (present?.state !== 'active') {
      const message = `the application '${name}' is being deleted; its name is free afterwards`;
      throw new PlatformError('APPLICATION_DELETING', message);
    }
    throw new PlatformError('APPLICATION_EXISTS', `there is an application '${name}' already`);
  }

  /** Returns an application. @throws PlatformError `APPLICATION_NOT_FOUND`, `DATABASE_*` */
  async get(name: string): Promise<Application> {
    const found = await findApplication(this.#db, name);
    if (found) return found;
    throw new PlatformError('APPLICATION_NOT_FOUND', `there is no application '${name}'`);
  }

  /** Lists applications that are `within` these, by name. @throws PlatformError `DATABASE_*` */
  list(within: Applications, page: ApplicationPage): Promise<Application[]> {
    return listApplications(this.#db, within, page);
  }

  /**
   * Changes limits or retention of an application.
   * @throws PlatformError `APPLICATION_NOT_FOUND`, `APPLICATION_DELETING`, `DATABASE_*`
   */
  async change(name: string, change: ApplicationChange): Promise<Application> {
    const changed = await updateApplication(this.#db, name, change);
    if (changed) return changed;
    const { state } = await this.get(name);
    throw new PlatformError('APPLICATION_DELETING', `the application '${name}' is ${state}`);
  }

  /** Returns what these applications use, by name. Those that were not measured are missing. */
  usageOf(names: readonly string[]): Promise<ReadonlyMap<string, ApplicationUsage>> {
    return readUsage(this.#db, names);
  }

  /** Returns the removals of these applications that run, by name. */
  removalsOf(names: readonly string[]): Promise<ReadonlyMap<string, Erasure>> {
    return findRemovals(this.#db, names);
  }
}

import type { Database } from '@posthaste/postgres';
import type { Routes } from './app.js';
import { applicationRemovalRoutes } from './routes/application-removal.js';
import { erasureRoutes } from './routes/erasures.js';

/**
 * Creates the routes that erase payloads and remove applications, for the handle of changes: they are
 * audited. `db` needs `accessMigrations` and
 * `callbacksMigrations`.
 */
export function createErasureRoutes(db: Database): readonly Routes[] {
  return [(app) => erasureRoutes(app, db), (app) => applicationRemovalRoutes(app, db)];
}

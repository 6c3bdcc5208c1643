import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Routes } from './app.js';
import { EventFollowers, type FollowerOptions } from './event-followers.js';
import { EventIntake } from './event-intake.js';
import { maxEventBytes } from './event-to-publish.js';
import { publishEventRoutes } from './routes/publish-events.js';
import { readEventRoutes } from './routes/read-events.js';

export type EventRoutesConfig = FollowerOptions;

export interface EventRoutesDeps {
  /** Needs `eventstreamMigrations` and `gatewayMigrations`. */
  readonly db: Database;
  readonly config: EventRoutesConfig;
}

/** Everything about events that the gateway serves. */
export interface EventRoutes {
  readonly routes: readonly Routes[];
  /** Clients that follow events at this moment. */
  readonly followers: number;
  /** After the server has stopped, before the database is closed. May be called twice. */
  close(): Promise<void>;
}

export function createEventRoutes({ db, config }: EventRoutesDeps): EventRoutes {
  const log = new PostgresLog({ db, maxRecordBytes: maxEventBytes });
  const intake = new EventIntake(db, log);
  const followers = new EventFollowers(log, config);
  return {
    routes: [
      (app) => publishEventRoutes(app, intake),
      (app) => readEventRoutes(app, { log, followers }),
    ],
    get followers() {
      return followers.count;
    },
    async close() {
      followers.close();
      await log.close();
    },
  };
}

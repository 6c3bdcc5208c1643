import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Registry } from 'prom-client';
import type { Routes } from './app.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import { EventFollowers, type FollowerOptions } from './event-followers.js';
import { EventIntake } from './event-intake.js';
import { maxEventBytes } from './event-to-publish.js';
import { EventUpkeep, type EventUpkeepOptions } from './event-upkeep.js';
import { addFollowerMetrics } from './http/metrics.js';
import type { WarningLog } from './http/repeated-warnings.js';
import type { PublishTarget } from './publish-once.js';
import { deadLetterReplayRoutes } from './routes/events/dead-letter-replays.js';
import { deadLetterRoutes } from './routes/events/dead-letters.js';
import { eventGroupRoutes } from './routes/events/event-groups.js';
import { publishEventRoutes } from './routes/events/publish-events.js';
import { readEventRoutes } from './routes/events/read-events.js';

/** What the routes of events are built from. Each setting is described in @posthaste/settings. */
export type EventRoutesConfig = FollowerOptions &
  EventUpkeepOptions &
  Pick<PublishTarget, 'maxTopics'>;

export interface EventRoutesDeps {
  /** Needs `eventstreamMigrations` and `gatewayMigrations`. */
  readonly db: Database;
  readonly logger: WarningLog;
  readonly registry: Registry;
  readonly config: EventRoutesConfig;
}

/** Everything about events that the gateway serves. */
export interface EventRoutes {
  readonly routes: readonly Routes[];
  /** Clients that follow events at this moment. */
  readonly followers: number;
  /**
   * Stores what was taken and waits for its turn, and stops looking after events. After the server
   * has stopped, before the database is closed. May be called twice.
   */
  close(): Promise<void>;
}

export function createEventRoutes({ db, logger, registry, config }: EventRoutesDeps): EventRoutes {
  const log = new PostgresLog({ db, maxRecordBytes: maxEventBytes });
  const intake = new EventIntake({ db, log, maxTopics: config.maxTopics });
  const followers = new EventFollowers(log, config);
  addFollowerMetrics(registry, () => followers.count);
  const replays = new DeadLetterReplays(db, log);
  const upkeep = new EventUpkeep({ db, replays, logger }, config);
  const wake = (): void => upkeep.wake();
  return {
    routes: [
      (app) => publishEventRoutes(app, intake),
      (app) => readEventRoutes(app, { log, followers }),
      (app) => eventGroupRoutes(app, log),
      (app) => deadLetterRoutes(app, { db, log }),
      (app) => deadLetterReplayRoutes(app, { db, replays, wake }),
    ],
    get followers() {
      return followers.count;
    },
    async close() {
      followers.close();
      await Promise.all([intake.close(), upkeep.close()]);
      await log.close();
    },
  };
}

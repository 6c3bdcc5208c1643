import { EventPreviews } from '@posthaste/callbacks';
import { PlatformError, parseApplicationRules } from '@posthaste/contracts';
import { PostgresLog, parseTopicRules } from '@posthaste/eventstream';
import {
  DeadLetterReplays,
  EventFollowers,
  EventMaintenance,
  type EventMaintenanceOptions,
  type FollowerOptions,
  PublishBatcher,
  type PublishTarget,
} from '@posthaste/eventstream/event-log';
import type { AmbientDatabase, Database } from '@posthaste/postgres';
import { afterCommit } from '@posthaste/postgres';
import type { Registry } from 'prom-client';
import type { Routes } from './app.js';
import type { AuditTargets } from './audit/audited-route.js';
import { createEventTargets } from './audit/own-targets.js';
import { addFollowerMetrics } from './http/metrics.js';
import { RepeatedWarnings, type WarningLog } from './http/repeated-warnings.js';
import { deadLetterReplayRoutes } from './routes/events/dead-letter-replays.js';
import { deadLetterRoutes } from './routes/events/dead-letters.js';
import { eventGroupRoutes } from './routes/events/event-groups.js';
import type { FollowerStreamOptions } from './routes/events/follower-stream.js';
import { publishEventRoutes } from './routes/events/publish-events.js';
import { readEventRoutes } from './routes/events/read-events.js';
import { webhookHandshakeRoutes } from './routes/events/webhook-handshake.js';
import { listenRoutes } from './routes/listen/listen.js';

/** Configuration of the routes of events. Each setting is described in @posthaste/settings. */
export type EventRoutesConfig = Required<
  Pick<FollowerOptions, 'maxFollowers' | 'maxFollowersPerCaller'> &
    Pick<EventMaintenanceOptions, 'idempotencyMs' | 'eventRetentionMs'> &
    Pick<PublishTarget, 'maxTopics'>
> &
  FollowerOptions &
  FollowerStreamOptions &
  EventMaintenanceOptions & {
    readonly defaultApplication: string;
    readonly topicApplications: readonly string[];
    readonly groupApplications: readonly string[];
    readonly maxReplays: number;
  };

/** Dependencies of the routes of events. */
export interface EventRoutesDeps {
  /** Needs `eventstreamMigrations` and `eventLogMigrations`. */
  readonly db: Database;
  /** Handle on it for changes that are recorded in the audit log. */
  readonly changes: AmbientDatabase;
  readonly logger: WarningLog;
  readonly registry: Registry;
  readonly config: EventRoutesConfig;
}

/** All routes of events, with the work behind them. */
export interface EventRoutes {
  readonly routes: readonly Routes[];
  /** Things that these routes change. */
  readonly auditTargets: AuditTargets;
  /** Clients that follow events at this moment. */
  readonly followers: number;
  /**
   * Publishes the events that wait, and stops the maintenance. To be called after the server has
   * stopped, before the database is closed. Idempotent.
   */
  close(): Promise<void>;
}

/** Time between two warnings about maintenance that fails, in ms. */
const warnEveryMs = 60_000;

/** Creates the routes of events, and starts the maintenance of the event log. */
export function createEventRoutes({
  db,
  changes,
  logger,
  registry,
  config,
}: EventRoutesDeps): EventRoutes {
  const rules = {
    topicRules: parseTopicRules(config.topicApplications),
    groupRules: parseApplicationRules(config.groupApplications),
  };
  const log = new PostgresLog({ db, ...rules });
  const publisher = new PublishBatcher({ db, log, maxTopics: config.maxTopics });
  const followers = new EventFollowers(log, config);
  addFollowerMetrics(registry, () => followers.count);
  const previews = new EventPreviews({ db });
  const replays = new DeadLetterReplays({ db, log, maxRunning: config.maxReplays });
  const onError = warnOfMaintenance(logger);
  const maintenance = new EventMaintenance({ db, replays, onError }, config);
  const { defaultApplication, maxReplays: maxRunning } = config;
  const ambientLog = new PostgresLog({ db: changes, ...rules });
  const changedReplays = new DeadLetterReplays({ db: changes, log: ambientLog, maxRunning });
  const onCreated = (): void => void afterCommit(changes, () => maintenance.runNow());
  return {
    routes: [
      (app) => publishEventRoutes(app, publisher),
      webhookHandshakeRoutes,
      (app) => readEventRoutes(app, { log, followers, streams: config }),
      (app) =>
        listenRoutes(app, {
          log,
          followers,
          previews,
          rules: { topicRules: rules.topicRules, defaultApplication: config.defaultApplication },
        }),
      (app) => eventGroupRoutes(app, log),
      (app) => deadLetterRoutes(app, { db, log }),
      (app) =>
        deadLetterReplayRoutes(app, { replays: changedReplays, defaultApplication, onCreated }),
    ],
    auditTargets: createEventTargets(changedReplays),
    get followers() {
      return followers.count;
    },
    async close() {
      followers.close();
      await Promise.all([publisher.close(), maintenance.close(), previews.close()]);
      await Promise.all([log.close(), ambientLog.close()]);
    },
  };
}

function warnOfMaintenance(logger: WarningLog): (error: unknown) => void {
  const warnings = new RepeatedWarnings(undefined, warnEveryMs);
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `the maintenance of the event log failed, and is tried again: ${reason}`;
    // By the code, a filter of lines about outages recognises it.
    const kind = error instanceof PlatformError ? error.code : 'event maintenance';
    warnings.warn(logger, kind, message);
  };
}

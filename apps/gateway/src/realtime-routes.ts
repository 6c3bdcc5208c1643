import { NamespaceStore } from '@posthaste/appsync-server/postgres';
import type { PostgresLog } from '@posthaste/eventstream';
import { type AmbientDatabase, afterCommit, type Queryable } from '@posthaste/postgres';
import type { Routes } from './app.js';
import type { AuditTargets } from './audit/audited-route.js';
import { createNamespaceTargets } from './audit/namespace-targets.js';
import { channelListRoutes } from './routes/realtime/channels.js';
import type { ConfiguredNamespace } from './routes/realtime/namespace-view.js';
import { namespaceRoutes } from './routes/realtime/namespaces.js';

/** Dependencies of {@link createRealtimeRoutes}. */
export interface RealtimeRoutesDeps {
  /** Needs `realtimeMigrations`. */
  readonly db: Queryable;
  /** Handle on it for changes that are recorded in the audit log. */
  readonly changes: AmbientDatabase;
  /** Namespaces of the file of this gateway. */
  readonly configured: readonly ConfiguredNamespace[];
  readonly log: Pick<PostgresLog, 'listTopics' | 'isForeignTopic'>;
  /** Called after namespaces were changed here. Others notice it by themselves. */
  readonly onNamespacesChanged: () => Promise<void>;
}

/** Routes of namespaces and channels. */
export interface RealtimeRoutes {
  readonly routes: readonly Routes[];
  /** Things that the routes change. */
  readonly auditTargets: AuditTargets;
}

/** Creates the routes of namespaces and channels, besides those of the protocol. */
export function createRealtimeRoutes(deps: RealtimeRoutesDeps): RealtimeRoutes {
  const { db, changes, log, configured } = deps;
  const store = new NamespaceStore(changes);
  const namespaces = {
    store,
    configured,
    isForeignTopic: (topic: string, application: string) =>
      log.isForeignTopic(topic, [application]),
    onChange: () => void afterCommit(changes, deps.onNamespacesChanged),
  };
  return {
    routes: [
      (app) => namespaceRoutes(app, namespaces),
      (app) => channelListRoutes(app, { db, log }),
    ],
    auditTargets: createNamespaceTargets(store),
  };
}

import type { NameSource } from '@posthaste/access';
import {
  type CallbackEventSink,
  createAcceptance,
  createSecretBox,
  EventFanout,
  Intake,
  listApplicationNames,
  noEvents,
  Policies,
  RecipientRegistry,
  type RequestRules,
  Secrets,
} from '@posthaste/callbacks';
import { Endpoints, Subscriptions } from '@posthaste/callbacks/management';
import { type AddressGuard, createAddressGuard } from '@posthaste/egress';
import type { AmbientDatabase, Database } from '@posthaste/postgres';
import {
  addressAdvice,
  type callbackSettings,
  leaseMarginMs,
  type SettingValues,
} from '@posthaste/settings';
import type { Routes } from './app.js';
import type { AuditTargets } from './audit/audited-route.js';
import { createCallbackTargets } from './audit/callback-targets.js';
import { callbackBatchRoutes } from './routes/callbacks/callback-batch.js';
import { compatibleRoutes } from './routes/callbacks/callback-compatible.js';
import { callbackRoutes } from './routes/callbacks/callbacks.js';
import { mailRecipientRoutes } from './routes/callbacks/mail-recipients.js';
import { queueRoutes } from './routes/callbacks/queues.js';
import { recipientLinkRoutes } from './routes/callbacks/recipient-links.js';
import { replayRoutes } from './routes/callbacks/replays.js';
import { retryPolicyRoutes } from './routes/callbacks/retry-policies.js';
import { endpointActionRoutes } from './routes/endpoints/endpoint-actions.js';
import { endpointRoutes } from './routes/endpoints/endpoints.js';
import { secretRoutes } from './routes/endpoints/secrets.js';
import { subscriptionRoutes } from './routes/endpoints/subscriptions.js';

/** Most origins that are remembered as allowed. */
const maxAllowedOrigins = 1_000;

/** Settings of the callback routes. Each is described in @posthaste/settings. */
export type CallbackRoutesConfig = Omit<
  SettingValues<typeof callbackSettings>,
  'allowLoopback' | 'callbackEvents'
> & {
  readonly allowLoopback: boolean;
  /** Key of 32 bytes that encrypts signing secrets. The same in every process. */
  readonly secretKey: Uint8Array;
};

export interface CallbackRoutesDeps {
  /** Needs `callbacksMigrations`. */
  readonly db: Database;
  /** Handle on it for changes that are recorded in the audit log. */
  readonly changes: AmbientDatabase;
  readonly config: CallbackRoutesConfig;
  /** Receives the events of accepted callbacks and disabled endpoints. Default: no events. */
  readonly events?: CallbackEventSink | undefined;
}

/** Routes of callbacks, endpoints, queues, subscriptions, secrets and retry policies. */
export interface CallbackRoutes {
  readonly routes: readonly Routes[];
  /** Things that these routes change. */
  readonly auditTargets: AuditTargets;
  /** Tables that name applications. */
  readonly nameSource: NameSource;
  /**
   * Stores callbacks that were received and wait to be stored. To be called after the server has
   * stopped and before the database is closed. May be called twice.
   */
  close(): Promise<void>;
}

/** Creates the routes. @throws PlatformError `OPTION_INVALID` if the secret key has not 32 bytes */
export function createCallbackRoutes({
  db,
  changes,
  config,
  events = noEvents,
}: CallbackRoutesDeps): CallbackRoutes {
  const rules = toRequestRules(config);
  const intake = new Intake(db, { events });
  const secrets = new Secrets(changes, createSecretBox(config.secretKey));
  const policies = new Policies(changes, { maxAttempts: config.maxAttempts });
  const recipients = new RecipientRegistry(db, { allowed: config.mailRecipients });
  const endpoints = new Endpoints({ db: changes, secrets, rules, recipients });
  const subscriptions = new Subscriptions(changes);
  const fanout = new EventFanout({ db, events });
  const acceptance = createAcceptance({
    intake,
    rules,
    secretExists: (application, name) => secrets.exists({ application, name }),
    recipients,
  });
  return {
    routes: [
      (app) => compatibleRoutes(app, { db, acceptance }),
      (app) => callbackRoutes(app, { db: changes, acceptance, policies }),
      (app) => callbackBatchRoutes(app, { acceptance, policies }),
      (app) => replayRoutes(app, { db: changes, maxRunning: config.maxReplays }),
      (app) => queueRoutes(app, changes),
      (app) => mailRecipientRoutes(app, changes),
      (app) => recipientLinkRoutes(app, db),
      (app) => endpointRoutes(app, endpoints),
      (app) => endpointActionRoutes(app, { db: changes, endpoints, secrets, fanout, events }),
      (app) => subscriptionRoutes(app, subscriptions),
      (app) => secretRoutes(app, secrets),
      (app) => retryPolicyRoutes(app, policies),
    ],
    auditTargets: createCallbackTargets({
      db: changes,
      endpoints,
      policies,
      secrets,
      subscriptions,
    }),
    nameSource: {
      source: 'callbacks',
      list: (after, limit) => listApplicationNames(db, after, limit),
    },
    close: () => intake.close(),
  };
}

function toRequestRules(config: CallbackRoutesConfig): RequestRules {
  const { attemptTimeoutMs, leaseMs, maxAttempts, allowLoopback, allowedNetworks } = config;
  const guard = createAddressGuard({
    allowLoopback,
    allow: [...allowedNetworks],
    advice: addressAdvice,
  });
  return {
    defaultTimeoutMs: attemptTimeoutMs,
    maxTimeoutMs: leaseMs - leaseMarginMs,
    maxAttempts,
    urlFault: createUrlCheck(guard),
  };
}

/** Creates the check of URLs. It remembers allowed origins: many callbacks go to the same one. */
function createUrlCheck(guard: AddressGuard): RequestRules['urlFault'] {
  const allowed = new Set<string>();
  return (url) => {
    const { origin } = url;
    const hasCredentials = url.username !== '' || url.password !== '';
    if (!hasCredentials && allowed.has(origin)) return undefined;
    const fault = guard.checkUrl(url.href)?.detail;
    if (fault === undefined) {
      if (allowed.size >= maxAllowedOrigins) allowed.clear();
      allowed.add(origin);
    }
    return fault;
  };
}

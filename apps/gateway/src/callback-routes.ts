import {
  type CallbackEventSink,
  createAcceptance,
  createSecretBox,
  EventFanout,
  Intake,
  noEvents,
  Policies,
  type RequestRules,
  Secrets,
} from '@posthaste/callbacks';
import { Endpoints, Subscriptions } from '@posthaste/callbacks/management';
import { type AddressGuard, createAddressGuard } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import { type callbackSettings, leaseMarginMs, type SettingValues } from '@posthaste/settings';
import type { Routes } from './app.js';
import { callbackBatchRoutes } from './routes/callbacks/callback-batch.js';
import { compatibleRoutes } from './routes/callbacks/callback-compatible.js';
import { callbackRoutes } from './routes/callbacks/callbacks.js';
import { queueRoutes } from './routes/callbacks/queues.js';
import { replayRoutes } from './routes/callbacks/replays.js';
import { retryPolicyRoutes } from './routes/callbacks/retry-policies.js';
import { endpointActionRoutes } from './routes/endpoints/endpoint-actions.js';
import { endpointRoutes } from './routes/endpoints/endpoints.js';
import { secretRoutes } from './routes/endpoints/secrets.js';
import { subscriptionRoutes } from './routes/endpoints/subscriptions.js';

/** Origins that are remembered as ones that may be called. */
const maxKnownOrigins = 1_000;

/** What the routes of callbacks are built from. Each setting is described in @posthaste/settings. */
export type CallbackRoutesConfig = Omit<
  SettingValues<typeof callbackSettings>,
  'allowLoopback' | 'callbackEvents'
> & {
  readonly allowLoopback: boolean;
  /** 32 bytes that signing secrets are sealed with. The same in every process. */
  readonly secretKey: Uint8Array;
};

export interface CallbackRoutesDeps {
  /** Needs `callbacksMigrations`. */
  readonly db: Database;
  readonly config: CallbackRoutesConfig;
  /** Told of what is accepted and disabled. Default: nobody. */
  readonly events?: CallbackEventSink | undefined;
}

/** Everything about callbacks that the gateway serves. */
export interface CallbackRoutes {
  readonly routes: readonly Routes[];
  /**
   * Stores what was taken and waits for its turn. After the server has stopped, before the database
   * is closed. May be called twice.
   */
  close(): Promise<void>;
}

/** @throws PlatformError `OPTION_INVALID` for a secret key that is not of 32 bytes */
export function createCallbackRoutes({
  db,
  config,
  events = noEvents,
}: CallbackRoutesDeps): CallbackRoutes {
  const rules = toRequestRules(config);
  const intake = new Intake(db, { events });
  const secrets = new Secrets(db, createSecretBox(config.secretKey));
  const policies = new Policies(db);
  const endpoints = new Endpoints({ db, secrets, rules });
  const subscriptions = new Subscriptions(db);
  const fanout = new EventFanout({ db, events });
  const acceptance = createAcceptance({
    intake,
    rules,
    secretExists: (application, name) => secrets.exists({ application, name }),
  });
  return {
    routes: [
      (app) => compatibleRoutes(app, { db, acceptance }),
      (app) => callbackRoutes(app, { db, acceptance, policies }),
      (app) => callbackBatchRoutes(app, { acceptance, policies }),
      (app) => replayRoutes(app, db),
      (app) => queueRoutes(app, db),
      (app) => endpointRoutes(app, endpoints),
      (app) => endpointActionRoutes(app, { db, endpoints, secrets, fanout, events }),
      (app) => subscriptionRoutes(app, subscriptions),
      (app) => secretRoutes(app, secrets),
      (app) => retryPolicyRoutes(app, policies),
    ],
    close: () => intake.close(),
  };
}

function toRequestRules(config: CallbackRoutesConfig): RequestRules {
  const { attemptTimeoutMs, leaseMs, allowLoopback, allowedNetworks } = config;
  const guard = createAddressGuard({ allowLoopback, allow: [...allowedNetworks] });
  return {
    defaultTimeoutMs: attemptTimeoutMs,
    maxTimeoutMs: leaseMs - leaseMarginMs,
    urlFault: createUrlJudge(guard),
  };
}

/** Remembers the origins that are well: callbacks go to the same ones again and again. */
function createUrlJudge(guard: AddressGuard): RequestRules['urlFault'] {
  const known = new Set<string>();
  return (url) => {
    const { origin } = url;
    const hasCredentials = url.username !== '' || url.password !== '';
    if (!hasCredentials && known.has(origin)) return undefined;
    const fault = guard.checkUrl(url.href)?.detail;
    if (fault === undefined) {
      if (known.size >= maxKnownOrigins) known.clear();
      known.add(origin);
    }
    return fault;
  };
}

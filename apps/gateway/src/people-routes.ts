import {
  type Authenticators,
  IdentityProvider,
  parseRoleRule,
  Sessions,
  ShortLivedTokens,
  SignIn,
} from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import { createAddressGuard, createEgress, type Egress } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import type { SettingValues, signInSettings } from '@posthaste/settings';
import { SessionCookies } from './access/session-cookies.js';
import type { Routes } from './app.js';
import type { AuditTargets } from './audit/audited-route.js';
import { createSessionTargets } from './audit/session-targets.js';
import { createTokenTargets } from './audit/token-targets.js';
import { RepeatedWarnings, type WarningLog } from './http/repeated-warnings.js';
import { sessionRoutes } from './routes/access/sessions.js';
import { signInRoutes } from './routes/access/sign-in.js';
import { tokenRoutes } from './routes/access/tokens.js';
import { realtimeTokenRoutes } from './routes/realtime/realtime-tokens.js';

/** Most connections to the identity provider at a time: it is not flooded by sign-ins. */
const maxProviderConnections = 8;

/** Configuration of people and tokens. Each setting is described in @posthaste/settings. */
export type PeopleRoutesConfig = SettingValues<typeof signInSettings> & {
  /** Address at which browsers reach the gateway. Default: loopback only. */
  readonly publicUrl?: string | undefined;
  /** Key of 32 bytes that signs tokens. The same in every process. */
  readonly secretKey: Uint8Array;
  /** `loopback` accepts tokens that were made without a credential. */
  readonly access: 'loopback' | 'keys';
};

export interface PeopleRoutesDeps {
  /** Needs `accessMigrations`. The handle of recorded changes. */
  readonly db: Database;
  readonly config: PeopleRoutesConfig;
  readonly logger: WarningLog;
}

/** Routes of sessions, sign-ins and tokens, with the check of sessions and tokens. */
export interface PeopleRoutes {
  readonly routes: readonly Routes[];
  readonly authenticators: Omit<Authenticators, 'keys'>;
  readonly cookies: SessionCookies;
  /** Things that the routes change. */
  readonly auditTargets: AuditTargets;
  /** To be called after the server has stopped, before the database is closed. Idempotent. */
  close(): Promise<void>;
}

/** Creates the routes. @throws PlatformError `OPTION_INVALID` if a role cannot be parsed */
export function createPeopleRoutes({ db, config, logger }: PeopleRoutesDeps): PeopleRoutes {
  const cookies = new SessionCookies(config.publicUrl);
  const onCheckError = warnOfChecks(logger);
  const sessions = new Sessions(db, {
    cookieName: cookies.sessionName,
    lengthMs: config.sessionLengthMs,
    idleTimeoutMs: config.sessionIdleMs,
    onCheckError,
    onUseError: onCheckError,
  });
  const tokens = new ShortLivedTokens(db, {
    secretKey: config.secretKey,
    sessions,
    acceptsLocal: config.access === 'loopback',
    onCheckError,
  });
  const http = createEgress({
    guard: createAddressGuard({ allow: [...config.oidcAllowedNetworks] }),
    maxConnectionsPerOrigin: maxProviderConnections,
  });
  const signIn = createSignIn(config, { sessions, http });
  return {
    routes: [
      (app) => sessionRoutes(app, { sessions, cookies }),
      (app) => signInRoutes(app, { signIn, cookies }),
      (app) => tokenRoutes(app, tokens),
      (app) => realtimeTokenRoutes(app, tokens),
    ],
    authenticators: { tokens, sessions },
    cookies,
    auditTargets: { ...createSessionTargets(sessions), ...createTokenTargets(tokens) },
    async close() {
      sessions.close();
      tokens.close();
      await http.close();
    },
  };
}

function createSignIn(
  config: PeopleRoutesConfig,
  { sessions, http }: { readonly sessions: Sessions; readonly http: Egress },
): SignIn | undefined {
  const { oidcIssuer: issuer, oidcClientId: clientId, publicUrl } = config;
  if (issuer === undefined || clientId === undefined || publicUrl === undefined) return undefined;
  const provider = new IdentityProvider({
    issuer,
    clientId,
    clientSecret: config.oidcClientSecret,
    scopes: config.oidcScopes,
    rolesClaim: config.oidcRolesClaim,
    redirectUri: new URL('/v1/sign-in/callback', publicUrl).href,
    http,
  });
  const rules = config.oidcRoles.map(parseRoleRule);
  return new SignIn({ provider, sessions, rules, secretKey: config.secretKey });
}

function warnOfChecks(logger: WarningLog): (error: unknown) => void {
  const warnings = new RepeatedWarnings();
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    const kind = error instanceof PlatformError ? error.code : 'session check';
    warnings.warn(logger, kind, `sessions and tokens could not be checked: ${reason}`);
  };
}

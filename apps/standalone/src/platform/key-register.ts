import { PlatformError } from '@posthaste/contracts';
import { type ApiKey, ApiKeys, gatewayMigrations, type KeyRequest } from '@posthaste/gateway';
import { type Database, pendingMigrations } from '@posthaste/postgres';
import { createLogger } from '@posthaste/service';
import { type Environment, platformSettings, readSettings } from '@posthaste/settings';
import { apiClientOf } from '../api/api-client.js';
import { migratePlatform, openPlatformDatabase } from './platform-database.js';

/** A key as lists show it; times are ISO 8601. */
export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
}

/** Where API keys are kept. */
export interface KeyRegister {
  /** What the caller is to send: not to be had again. */
  create(request: KeyRequest): Promise<string>;
  list(): Promise<readonly ListedKey[]>;
  /** @throws PlatformError `KEY_NOT_FOUND` */
  revoke(id: string): Promise<{ readonly name: string }>;
}

const maxListed = 1_000;

/**
 * Opens the keys of the gateway at `url`, or without one those of the database that the environment
 * names, and closes them after the work.
 * @throws PlatformError `CONFIG_INVALID`, `DATABASE_*`, `MIGRATION_PENDING`, `GATEWAY_UNREACHABLE`
 */
export async function withKeyRegister(
  environment: Environment,
  url: string | undefined,
  work: (register: KeyRegister) => Promise<void>,
): Promise<void> {
  if (url !== undefined) {
    return work(remoteRegister({ ...environment, POSTHASTE_URL: url }));
  }
  const settings = readSettings(environment, platformSettings);
  const db = await openPlatformDatabase(settings, createLogger({ level: 'silent', service: '' }));
  const keys = new ApiKeys(db);
  try {
    await prepareTables(db);
    await work(localRegister(keys));
  } finally {
    await keys.close();
    await db.close();
  }
}

/** The embedded database may be new; a Postgres is migrated when somebody decides to. */
async function prepareTables(db: Database): Promise<void> {
  if (db.kind === 'embedded') {
    await migratePlatform(db);
  } else if ((await pendingMigrations(db, [gatewayMigrations])).length > 0) {
    const message = 'the database has no tables for keys yet: run "posthaste migrate" first';
    throw new PlatformError('MIGRATION_PENDING', message);
  }
}

function localRegister(keys: ApiKeys): KeyRegister {
  return {
    create: async (request) => (await keys.createKey(request)).token,
    list: async () => (await keys.listKeys({ limit: maxListed })).map(toListed),
    revoke: (id) => keys.revokeKey(id),
  };
}

function remoteRegister(environment: Environment): KeyRegister {
  const api = apiClientOf(environment);
  return {
    create: async (body) => (await api.call<{ token: string }>('POST', '/v1/keys', { body })).token,
    list: async () =>
      (await api.call<{ keys: ListedKey[] }>('GET', `/v1/keys?limit=${maxListed}`)).keys,
    revoke: (id) => api.call('DELETE', `/v1/keys/${encodeURIComponent(id)}`),
  };
}

function toListed(key: ApiKey): ListedKey {
  return {
    ...key,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  };
}

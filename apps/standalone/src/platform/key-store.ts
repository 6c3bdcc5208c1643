import { type ApiKey, ApiKeys, accessMigrations, type KeyRequest } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import { type Database, pendingMigrations } from '@posthaste/postgres';
import { createLogger } from '@posthaste/service';
import { type Environment, platformSettings, readSettings } from '@posthaste/settings';
import { apiClientFrom } from '../api/api-client.js';
import { migratePlatform, openPlatformDatabase } from './platform-database.js';

/** API key in a list; times are ISO 8601. */
export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
}

/** API key that was just created, with its token, which cannot be read again. */
export interface NewKey extends ListedKey {
  readonly token: string;
}

/** Store of API keys: the database, or a running gateway. */
export interface KeyStore {
  create(request: KeyRequest): Promise<NewKey>;
  list(): Promise<readonly ListedKey[]>;
  /** Revokes a key. @throws PlatformError `KEY_NOT_FOUND` */
  revoke(id: string): Promise<ListedKey>;
}

const maxListed = 1_000;

/**
 * Opens the keys of the gateway at `url`, or without `url` those of the database that the environment
 * names, and closes the database after the work.
 * @throws PlatformError `CONFIG_INVALID`, `DATABASE_*`, `MIGRATION_PENDING`, `GATEWAY_UNREACHABLE`
 */
export async function withKeyStore(
  environment: Environment,
  url: string | undefined,
  work: (store: KeyStore) => Promise<void>,
): Promise<void> {
  if (url !== undefined) {
    return work(gatewayKeyStore({ ...environment, POSTHASTE_URL: url }));
  }
  const settings = readSettings(environment, platformSettings);
  const db = await openPlatformDatabase(settings, createLogger({ level: 'silent', service: '' }));
  const keys = new ApiKeys(db);
  try {
    await prepareTables(db);
    await work(databaseKeyStore(keys));
  } finally {
    await keys.close();
    await db.close();
  }
}

/** Migrates an embedded database, which may be new. A Postgres is migrated by its operator. */
async function prepareTables(db: Database): Promise<void> {
  if (db.kind === 'embedded') {
    await migratePlatform(db);
  } else if ((await pendingMigrations(db, [accessMigrations])).length > 0) {
    const message = 'the database has no current tables for keys: run "posthaste migrate" first';
    throw new PlatformError('MIGRATION_PENDING', message);
  }
}

function databaseKeyStore(keys: ApiKeys): KeyStore {
  return {
    create: async (request) => {
      const { key, token } = await keys.createKey(request);
      return { ...toListed(key), token };
    },
    list: async () => (await keys.listKeys('all', { limit: maxListed })).map(toListed),
    revoke: async (id) => toListed(await keys.revokeKey(id, 'all')),
  };
}

function gatewayKeyStore(environment: Environment): KeyStore {
  const api = apiClientFrom(environment);
  return {
    create: (body) => api.call('POST', '/v1/keys', { body }),
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

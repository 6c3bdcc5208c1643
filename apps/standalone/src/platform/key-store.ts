import {
  type ApiKey,
  ApiKeys,
  accessMigrations,
  type KeyRequest,
  lockTarget,
  registerRecorded,
  toKeyState,
} from '@posthaste/access';
import { PlatformError, parseId } from '@posthaste/contracts';
import { eventstreamMigrations } from '@posthaste/eventstream';
import {
  type AmbientDatabase,
  ambientDatabase,
  type Database,
  pendingMigrations,
} from '@posthaste/postgres';
import { createLogger } from '@posthaste/service';
import { type Environment, platformSettings, readSettings } from '@posthaste/settings';
import { apiClientFrom } from '../api/api-client.js';
import { type CommandChanges, openCommandChanges } from './command-changes.js';
import { migratePlatform, openPlatformDatabase } from './platform-database.js';

/** API key in a list; times are ISO 8601. */
export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Applications that it may use; `null` is all. */
  readonly applications: readonly string[] | null;
  /** Realtime channels that it may use; `null` is all. */
  readonly channels: readonly string[] | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
}

/** API key that was just created, with its token, which cannot be read again. */
export interface NewKey extends ListedKey {
  readonly token: string;
}

/** Request for a key of some applications, or without them of all that the caller has. */
type NewKeyRequest = Omit<KeyRequest, 'applications'> & {
  readonly applications?: readonly string[] | undefined;
};

/** Store of API keys: the database, or a running gateway. */
export interface KeyStore {
  create(request: NewKeyRequest): Promise<NewKey>;
  list(): Promise<readonly ListedKey[]>;
  /** Revokes a key. @throws PlatformError `KEY_NOT_FOUND` */
  revoke(id: string): Promise<ListedKey>;
}

const maxListed = 1_000;
/** Kind of keys in the audit log. */
const keyTarget = 'api-key';

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
  const ambient = ambientDatabase(db);
  const keys = new ApiKeys(ambient);
  const changes = openCommandChanges(db);
  try {
    await prepareTables(db);
    await work(databaseKeyStore(keys, ambient, changes));
  } finally {
    await keys.close();
    await changes.close();
    await db.close();
  }
}

/** Migrates an embedded database, which may be new. A Postgres is migrated by its operator. */
async function prepareTables(db: Database): Promise<void> {
  if (db.kind === 'embedded') {
    await migratePlatform(db);
  } else if ((await pendingMigrations(db, [accessMigrations, eventstreamMigrations])).length > 0) {
    const message = 'the database has no current tables for keys: run "posthaste migrate" first';
    throw new PlatformError('MIGRATION_PENDING', message);
  }
}

/** Returns the keys of the database. Each change of one is recorded in its transaction. */
function databaseKeyStore(
  keys: ApiKeys,
  ambient: AmbientDatabase,
  changes: CommandChanges,
): KeyStore {
  return {
    create: (request) =>
      ambient.runInTransaction(async (tx) => {
        await registerRecorded(tx, request.applications ?? [], (change) =>
          changes.record(tx, change),
        );
        const { key, token } = await keys.createKey(request);
        const target = { kind: keyTarget, id: key.id, name: key.name };
        await changes.record(tx, { action: 'api-key.created', target, after: toKeyState(key) });
        return { ...toListed(key), token };
      }),
    list: async () => (await keys.listKeys('all', { limit: maxListed })).map(toListed),
    revoke: (given) =>
      ambient.runInTransaction(async (tx) => {
        const id = parseId(given) ?? given;
        await lockTarget(tx, { kind: keyTarget, id });
        const before = await keys.findKey(id, 'all');
        const key = await keys.revokeKey(id, 'all');
        if (before && before.revokedAt === null) {
          const target = { kind: keyTarget, id, name: key.name };
          const states = { before: toKeyState(before), after: toKeyState(key) };
          await changes.record(tx, { action: 'api-key.revoked', target, ...states });
        }
        return toListed(key);
      }),
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

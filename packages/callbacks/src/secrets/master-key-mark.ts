import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable } from '@posthaste/postgres';
import type { SecretBox } from './secret-box.js';
import { endpointSecretPrefix, toKeyText } from './secret-key.js';
import { expireSecret, insertSecretVersion, listSealed, lockSecret } from './secret-store.js';

/**
 * A secret that signs nothing. Gateways seal it with their master key, and workers try to open it: so
 * a worker with another master key is noticed before it fails to sign. Its name is one of those that
 * lists leave out and applications cannot have.
 */
const mark = { application: '', name: `${endpointSecretPrefix}master-key` } as const;
const markText = 'posthaste';

/**
 * Stores which master key seals secrets: that of the gateway which calls this. Nothing is written if
 * it is known already.
 * @throws PlatformError `DATABASE_*`
 */
export async function markMasterKey(db: Database, box: SecretBox): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      const latest = await lockSecret(tx, mark);
      if (latest && (await opensMark(tx, box))) return;
      await expireSecret(tx, mark, 0);
      const sealed = box.seal(markText, toKeyText(mark));
      const version = (latest?.version ?? 0) + 1;
      await insertSecretVersion(tx, {
        ...mark,
        version,
        kind: 'hmac',
        publicKey: undefined,
        sealed,
      });
    });
  } catch (error) {
    // Another gateway has stored it at the same moment.
    if (!(error instanceof PlatformError && error.code === 'SECRET_EXISTS')) throw error;
  }
}

/**
 * Checks that this process has the master key of the gateway. Passes while no gateway has stored it.
 * @throws PlatformError `SECRET_UNREADABLE`, `DATABASE_*`
 */
export async function checkMasterKey(db: Queryable, box: SecretBox): Promise<void> {
  if (await opensMark(db, box)) return;
  const message =
    'the gateway stores secrets with another POSTHASTE_SECRET_KEY than this process has; give both the same';
  throw new PlatformError('SECRET_UNREADABLE', message);
}

/** True if the mark can be opened, or there is none. */
async function opensMark(db: Queryable, box: SecretBox): Promise<boolean> {
  const [sealed] = await listSealed(db, mark);
  if (!sealed) return true;
  try {
    return box.open(sealed, toKeyText(mark)) === markText;
  } catch {
    return false;
  }
}

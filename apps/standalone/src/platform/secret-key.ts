import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@posthaste/contracts';
import { makePrivateFolder } from '@posthaste/postgres';

const keyBytes = 32;
const fileName = 'secret.key';

/**
 * Loads the key that encrypts signing secrets from the data folder; creates it there the first time.
 * Only its owner may read the file.
 * @throws PlatformError `CONFIG_INVALID` when the file holds no key, or cannot be read or written
 */
export async function loadSecretKey(dataDir: string): Promise<Uint8Array> {
  const path = join(dataDir, fileName);
  try {
    return parseKey(path, (await readKey(path)) ?? (await createKey(dataDir, path)));
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlatformError(
      'CONFIG_INVALID',
      `the secret key cannot be read from or written to ${path}: ${reason}`,
      {
        cause,
      },
    );
  }
}

function parseKey(path: string, text: string): Uint8Array {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === keyBytes) return key;
  throw new PlatformError(
    'CONFIG_INVALID',
    `${path} does not hold a key of ${keyBytes} bytes in base64`,
  );
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Writes a new key to a temporary file and links it: a crash leaves a whole key or none, and of two
 * processes that create a key at once, the first one wins.
 */
async function createKey(dataDir: string, path: string): Promise<string> {
  await makePrivateFolder(dataDir);
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${randomBytes(keyBytes).toString('base64')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft);
  }
  return readFile(path, 'utf8');
}

import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@posthaste/contracts';

const keyBytes = 32;
const fileName = 'secret.key';

/**
 * The key that encrypts signing secrets, from the data folder; made there the first time. Only its
 * owner may read the file.
 * @throws PlatformError `CONFIG_INVALID` when the file holds no key
 */
export async function loadSecretKey(dataDir: string): Promise<Uint8Array> {
  const path = join(dataDir, fileName);
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (known === undefined) return await createSecretKey(dataDir, path);
  const key = Buffer.from(known.trim(), 'base64');
  if (key.length === keyBytes) return key;
  throw new PlatformError('CONFIG_INVALID', `${path} does not hold a key of ${keyBytes} bytes`);
}

/** Written beside and renamed, so that a crash leaves a whole key or none. */
async function createSecretKey(dataDir: string, path: string): Promise<Uint8Array> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const key = randomBytes(keyBytes);
  const draft = await open(`${path}.new`, 'w', 0o600);
  try {
    await draft.writeFile(`${key.toString('base64')}\n`);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${path}.new`, path);
  return key;
}

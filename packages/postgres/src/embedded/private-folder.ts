import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates a folder that only its owner may read, with the folders above it, unless it exists. It does
 * not use the `recursive` option of `mkdir`, which never ends where the system accepts no folders and
 * reports the parent as missing, as in /proc.
 * @throws Error of the system
 */
export async function makePrivateFolder(path: string): Promise<void> {
  if (await makeOne(path)) return;
  await makePrivateFolder(dirname(path));
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    // Another process may have created it meanwhile.
    if (!(await isFolder(path))) throw error;
  });
}

/** Creates one folder. Returns true if it exists now, and false if its parent is missing. */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (await isFolder(path)) return true;
    const isOrphan = (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path;
    if (isOrphan) return false;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

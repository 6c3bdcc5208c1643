import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder that only its owner may look into, with the folders above it, unless it is there.
 * Not with the `recursive` of `mkdir`: that never ends where the system takes no folders and calls
 * the one above missing, as in /proc.
 * @throws Error of the system
 */
export async function makePrivateFolder(path: string): Promise<void> {
  if (await makeOne(path)) return;
  await makePrivateFolder(dirname(path));
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    // Another process may have been faster.
    if (!(await isFolder(path))) throw error;
  });
}

/** Whether it is there now; false when the folder above it is missing. */
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

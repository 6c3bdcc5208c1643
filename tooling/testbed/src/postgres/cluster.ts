import { execFile } from 'node:child_process';
import { chown, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findUnprivilegedUser, type UserIds } from '../process/unprivileged-user.js';
import type { PostgresBinaries } from './binaries.js';

const run = promisify(execFile);

/** An initialised data directory, with everything that a server on it needs. */
export interface PostgresCluster {
  /** Temporary folder of the server: data, Unix socket and log. */
  readonly folder: string;
  readonly dataDir: string;
  /** The `postgres` program. */
  readonly program: string;
  /** User to run the server as; undefined is the current user. */
  readonly user: UserIds | undefined;
}

/** Creates an empty cluster in a temporary folder, with superuser `postgres` and no passwords. */
export async function createCluster(binaries: PostgresBinaries): Promise<PostgresCluster> {
  const user = await findUnprivilegedUser();
  const folder = await mkdtemp(join(tmpdir(), 'posthaste-postgres-'));
  try {
    if (user) await chown(folder, user.uid, user.gid);
    const bin = await reachableBinaries(binaries.folder, folder, user);
    const dataDir = join(folder, 'data');
    // No sync, which takes seconds: a power cut before the first test loses nothing.
    const options = ['-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await run(join(bin, 'initdb'), ['-D', dataDir, ...options], { cwd: folder, ...user });
    return { folder, dataDir, program: join(bin, 'postgres'), user };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Returns the folder of the binaries, or a copy if the other user cannot read it: for example in a
 * checkout under /root. Binaries of the system never need the copy.
 */
async function reachableBinaries(
  bin: string,
  folder: string,
  user: UserIds | undefined,
): Promise<string> {
  if (!user) return bin;
  try {
    await run(join(bin, 'postgres'), ['--version'], { cwd: folder, ...user });
    return bin;
  } catch {
    const copy = join(folder, 'postgres');
    await cp(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, 'bin');
  }
}

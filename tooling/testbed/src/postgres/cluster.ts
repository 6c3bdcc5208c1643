import { execFile } from 'node:child_process';
import { chown, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findUnprivilegedUser, type UserIds } from '../process/unprivileged-user.js';
import type { PostgresBinaries } from './binaries.js';

const run = promisify(execFile);

/** An initialised data directory and what it takes to run a server on it. */
export interface PostgresCluster {
  /** Temporary folder of the server: data, unix socket and log. */
  readonly folder: string;
  readonly dataDir: string;
  /** The `postgres` program. */
  readonly program: string;
  /** The user to run it as; undefined: the current one. */
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
    // No sync: a power cut before the first test matters to nobody, and it takes seconds.
    const options = ['-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await run(join(bin, 'initdb'), ['-D', dataDir, ...options], { cwd: folder, ...user });
    return { folder, dataDir, program: join(bin, 'postgres'), user };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The folder with the binaries, or a copy of it: a checkout under /root cannot be entered by the
 * other user. (Binaries that come with the system never need the copy.)
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

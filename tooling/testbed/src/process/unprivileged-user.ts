import { readFile } from 'node:fs/promises';

/** User and group that a child process runs as. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Returns the user to run Postgres as, because it refuses to run as root: `postgres`, else `nobody`.
 * Returns undefined if this process is not root.
 */
export async function findUnprivilegedUser(): Promise<UserIds | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = await readFile('/etc/passwd', 'utf8');
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.split('\n').find((line) => line.startsWith(`${name}:`));
    const [, , uid, gid] = account?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Postgres cannot run as root, and there is no user "postgres" or "nobody"');
}

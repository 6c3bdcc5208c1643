import { readFile } from 'node:fs/promises';

/** The ids a child process is started with. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user to run Postgres as, which refuses to run as root: `postgres`, else `nobody`.
 * Undefined when this process is not root and can run it as itself.
 */
export async function findUnprivilegedUser(): Promise<UserIds | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = await readFile('/etc/passwd', 'utf8');
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.split('\n').find((line) => line.startsWith(`${name}:`));
    const [, , uid, gid] = account?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('Postgres does not run as root, and there is no user "postgres" or "nobody"');
}

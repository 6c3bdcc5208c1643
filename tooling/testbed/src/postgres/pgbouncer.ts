import { chown, cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { ServerProcess } from '../process/server-process.js';
import { findUnprivilegedUser } from '../process/unprivileged-user.js';
import { findPgBouncer, type PgBouncerProgram, pgBouncerAdvice } from './pgbouncer-program.js';
import { responds } from './responds.js';

/** Longest time of a start, in ms. */
const readyTimeoutMs = 10_000;

/** Options of `startPgBouncer`. */
export interface PgBouncerOptions {
  /** URL of the Postgres server behind it. Its user needs no password. */
  readonly serverUrl: string;
  readonly poolMode: 'session' | 'transaction' | 'statement';
  /** Further settings of the section `pgbouncer`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: `findPgBouncer()`. */
  readonly program?: PgBouncerProgram;
}

/** A running PgBouncer. */
export interface PgBouncer {
  /** URL of the database of `serverUrl`, through PgBouncer. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts PgBouncer in front of a Postgres server, on 127.0.0.1 with the defaults of its package, as an
 * unprivileged user. It ends with this process.
 * @throws Error if there is none on this machine, or it does not start
 */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  const found = options.program ?? (await findPgBouncer());
  if (found === undefined) throw new Error(`no PgBouncer found: ${pgBouncerAdvice}`);
  const user = await findUnprivilegedUser();
  const folder = await mkdtemp(join(tmpdir(), 'posthaste-pgbouncer-'));
  const port = await freePort();
  const config = join(folder, 'pgbouncer.ini');
  await writeFile(config, configOf(options, folder, port));
  await writeFile(join(folder, 'users.txt'), `"${userOf(options.serverUrl)}" ""\n`);
  if (user) {
    for (const path of [folder, config, join(folder, 'users.txt')]) {
      await chown(path, user.uid, user.gid);
    }
  }
  const server = new ServerProcess(folder);
  const url = new URL(options.serverUrl);
  url.host = `127.0.0.1:${port}`;
  try {
    await server.launch({ ...(await programIn(folder, found)), args: [config], user });
    await server.waitUntilReady(() => responds(url.href), readyTimeoutMs);
    return { url: url.href, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Returns the program to run. A fetched one is copied, because other users cannot read the cache. */
async function programIn(
  folder: string,
  { path, fetched }: PgBouncerProgram,
): Promise<{ readonly program: string; readonly env?: NodeJS.ProcessEnv }> {
  if (fetched === undefined) return { program: path };
  const copy = join(folder, 'program');
  await cp(fetched, copy, { recursive: true });
  return { program: join(copy, 'pgbouncer'), env: { LD_LIBRARY_PATH: copy } };
}

function configOf(options: PgBouncerOptions, folder: string, port: number): string {
  const { hostname, port: serverPort } = new URL(options.serverUrl);
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: folder,
    auth_type: 'trust',
    auth_file: join(folder, 'users.txt'),
    pool_mode: options.poolMode,
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]\n${lines.join('\n')}\n`;
}

function userOf(serverUrl: string): string {
  return new URL(serverUrl).username;
}

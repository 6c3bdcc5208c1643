import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@posthaste/testbed';
import { Redis } from 'ioredis';
import type { StoreServer } from './store.js';

/** The usual durable settings. Unlike Postgres, Redis may lose up to a second of work. */
const settings = { appendonly: 'yes', appendfsync: 'everysec', save: '' };

/** Error of a missing Redis; its message is the reason. */
export class RedisMissing extends Error {}

/**
 * Starts a new Redis on a free port: `redis-server` from the PATH, or Debian's package, which is
 * installed if possible.
 *
 * @throws RedisMissing if there is none and it cannot be installed
 */
export async function startRedis(): Promise<StoreServer> {
  ensureInstalled();
  const folder = await mkdtemp(join(tmpdir(), 'posthaste-bench-redis-'));
  const port = await freePort();
  const options = { ...settings, port: String(port), bind: '127.0.0.1', dir: folder };
  const child = spawn(
    'redis-server',
    Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    { stdio: 'ignore' },
  );
  // Registered now, because Ctrl-C may end Redis before `close` is called.
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = `redis://127.0.0.1:${port}`;
  const admin = new Redis(url, { maxRetriesPerRequest: null });
  // Connections are refused until the server listens; ioredis tries again by itself.
  admin.on('error', () => undefined);
  const info = await admin.info('server');
  return {
    pid: child.pid ?? 0,
    facts: { server_version: /redis_version:(\S+)/.exec(info)?.[1] ?? '', ...settings },
    async open(_name, make) {
      await admin.flushall();
      await make(url);
      return url;
    },
    async close() {
      admin.disconnect();
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function ensureInstalled(): void {
  if (works('redis-server', ['--version'])) return;
  if (process.getuid?.() === 0 && works('apt-get', ['--version'])) {
    works('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server']);
  }
  if (!works('redis-server', ['--version'])) {
    throw new RedisMissing('no redis-server on the PATH, and Debian’s package cannot be installed');
  }
}

function works(program: string, args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@posthaste/testbed';
import { Redis } from 'ioredis';
import type { StoreServer } from './store.js';

/** Its usual durable setting: up to a second of work may be lost, unlike with Postgres. */
const settings = { appendonly: 'yes', appendfsync: 'everysec', save: '' };

/** Why there is no Redis here. */
export class RedisMissing extends Error {}

/**
 * A Redis of its own on a free port: `redis-server` from the PATH, or Debian's package,
 * installed where that is allowed.
 *
 * @throws RedisMissing when it cannot be had.
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
  // From now on: Ctrl-C ends it before anybody closes it.
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = `redis://127.0.0.1:${port}`;
  const admin = new Redis(url, { maxRetriesPerRequest: null });
  // Refused until the server listens: ioredis tries again by itself.
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

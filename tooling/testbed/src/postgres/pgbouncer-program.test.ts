import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import '../provided-context.js';
import { startPgBouncer } from './pgbouncer.js';
import { fetchPgBouncer } from './pgbouncer-program.js';

const hasApt = spawnSync('apt-get', ['--version']).status === 0;
const serverUrl = inject('postgresUrl');

it.skipIf(!hasApt || serverUrl === undefined)(
  'PgBouncer is fetched through apt-get, and runs, where it is not installed',
  async () => {
    const cache = await mkdtemp(join(tmpdir(), 'posthaste-cache-'));
    onTestFinished(() => rm(cache, { recursive: true, force: true }));
    vi.stubEnv('XDG_CACHE_HOME', cache);
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => {
      vi.unstubAllEnvs();
      vi.restoreAllMocks();
    });
    const program = await fetchPgBouncer();
    if (program === undefined || serverUrl === undefined) throw new Error('it was not fetched');
    expect(program.path).toMatch(new RegExp(`^${cache}/posthaste/pgbouncer-\\w+/pgbouncer$`));
    // Nothing is left behind of the download.
    expect(await readdir(join(cache, 'posthaste'))).toHaveLength(1);
    const pooler = await startPgBouncer({ serverUrl, poolMode: 'session', program });
    const client = new pg.Client(pooler.url);
    await client.connect();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await pooler.close();
  },
  240_000,
);

it('nothing is fetched, and nothing is left behind, where there is no apt-get', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'posthaste-cache-'));
  onTestFinished(() => rm(cache, { recursive: true, force: true }));
  vi.stubEnv('XDG_CACHE_HOME', cache);
  vi.stubEnv('PATH', '/nowhere');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await fetchPgBouncer()).toBeUndefined();
  expect(await readdir(join(cache, 'posthaste'))).toEqual([]);
});

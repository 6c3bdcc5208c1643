import { mkdtemp, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ApiKeys, accessMigrations } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import { migrate, openPostgres } from '@posthaste/postgres';
import {
  createTestDatabase,
  freePort,
  type RunningProcess,
  startPostgres,
  startProcess,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, describe, expect, it } from 'vitest';
import { rawConnection } from '../test/raw-connection.js';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const noDatabase = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  POSTHASTE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
  // A busy test machine would exceed the delay, and requests would be answered with 503.
  POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
};

const running: RunningProcess[] = [];
afterEach(() => Promise.all(running.splice(0).map((process) => process.close())));

async function startMain(env: Record<string, string>, ready?: RegExp): Promise<RunningProcess> {
  const process = await startProcess({ args: [main], env, ...(ready ? { ready } : {}) });
  running.push(process);
  return process;
}

/** Starts a gateway process without a database. */
async function startListening(env: Record<string, string> = {}) {
  const port = await freePort();
  const settings = { ...noDatabase, POSTHASTE_PORT: String(port), ...env };
  const process = await startMain(settings, /the gateway listens/);
  return { process, port };
}

describe('the process of the gateway', () => {
  it('exits with 78 on a wrong configuration, and lists all faults', async () => {
    const process = await startMain({
      POSTHASTE_PORT: 'eighty',
      POSTHASTE_HOST: '0.0.0.0',
      POSTHASTE_ACCESS: 'loopback',
      POSTHASTE_PROT: '1',
    });
    expect(await process.exited).toMatchObject({ code: 78 });
    for (const name of ['DATABASE_URL', 'POSTHASTE_PORT', 'POSTHASTE_ACCESS', 'POSTHASTE_PROT']) {
      expect(process.output).toContain(`  - ${name} `);
    }
    expect(process.output).not.toContain('    at ');
  });

  it('exits with 78 on a wrong file of realtime, and names the member', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'realtime-')), 'realtime.json');
    const issuer = { type: 'oidc', issuer: 'https://id.example' };
    await writeFile(file, JSON.stringify({ authorizers: [issuer], namespaces: [{ name: '-' }] }));
    const process = await startMain({ ...noDatabase, POSTHASTE_REALTIME_CONFIG: file });
    expect(await process.exited).toMatchObject({ code: 78 });
    const start = '  - POSTHASTE_REALTIME_CONFIG: ';
    expect(process.output).toContain(
      `${start}authorizers[0].application must be the name of the one`,
    );
    expect(process.output).toContain(`${start}namespaces[0].name is not 1 to 50 letters`);
  });

  it('exits with 1 when its port is taken, and prints what to do', async () => {
    const other = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const process = await startMain({ ...noDatabase, POSTHASTE_PORT: String(port) });
    expect(await process.exited).toMatchObject({ code: 1 });
    expect(process.output).toContain(`http://127.0.0.1:${port} is taken by another process.`);
    other.close();
  });

  it('exits with 0 on SIGTERM', async () => {
    const { process } = await startListening();
    expect(await process.terminate()).toEqual({ code: 0, signal: null });
    expect(process.output).toContain('the gateway has stopped');
  });

  it('loses no request when it stops under load', async () => {
    const { process, port } = await startListening();
    const seen = new Map<string, number>();
    const clients = Array.from({ length: 16 }, () => askUntilRefused(port, seen));
    await expect.poll(() => seen.get('200') ?? 0).toBeGreaterThan(200);
    const ended = process.terminate();
    await Promise.all(clients);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect([...seen.keys()].sort()).toEqual(['200', 'ECONNREFUSED']);
  });

  it('stops within its limit, even while a client is slow', async () => {
    const { process, port } = await startListening({ POSTHASTE_STOP_TIMEOUT: '500ms' });
    const slow = await rawConnection(port);
    slow.write('POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{');
    const startedAt = performance.now();
    expect(await process.terminate()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await slow.received;
  });
});

/** Connections that are idle for longer, in ms, may be closed by a gateway that stops: see `drain.ts`. */
const idleGraceMs = 250;

/**
 * Sends requests on one connection, each after the answer to the one before, until refused. A busy
 * machine may delay this process, so that the connection was idle for too long: then a reset of it is
 * no loss, and the client connects again.
 */
async function askUntilRefused(port: number, seen: Map<string, number>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let sentAt = performance.now();
  for (let last = ''; last !== 'ECONNREFUSED'; ) {
    const wasLate = performance.now() - sentAt > idleGraceMs;
    sentAt = performance.now();
    last = await ask(port, agent);
    if (last === 'ECONNRESET' && wasLate) continue;
    seen.set(last, (seen.get(last) ?? 0) + 1);
  }
  agent.destroy();
}

function ask(port: number, agent: Agent): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const asking = request({ port, host: '127.0.0.1', path: '/health/live', agent }, (response) => {
    response.resume();
    response.once('end', () => resolve(String(response.statusCode)));
  });
  asking.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  asking.end();
  return promise;
}

describeWithPostgres('the process of the gateway on Postgres', () => {
  it('becomes ready when the database is migrated, and needs keys with POSTHASTE_ACCESS=keys', async () => {
    const { url, drop } = await createTestDatabase();
    const { process, port } = await startListening({
      DATABASE_URL: url,
      POSTHASTE_ACCESS: 'keys',
    });
    await process.waitForLine(/the gateway is not ready: .*run \\"posthaste migrate\\"/);
    const metrics = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}/metrics`, { headers });
    const early = await metrics({
      authorization: `Bearer phk_${'0'.repeat(32)}_${'x'.repeat(43)}`,
    });
    expect(early.status).toBe(503);
    expect(await early.json()).toMatchObject({ code: 'MIGRATION_PENDING', retryable: true });
    const readiness = async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).json();
    expect(await readiness()).toMatchObject({
      status: 'not_ready',
      checks: [
        { name: 'database', ready: true },
        { name: 'migrations', ready: false, code: 'MIGRATION_PENDING' },
      ],
    });

    const db = await openPostgres({ url });
    await migrate(db, [
      accessMigrations,
      callbacksMigrations,
      eventstreamMigrations,
      eventLogMigrations,
      realtimeMigrations,
    ]);
    const { token } = await new ApiKeys(db).createKey({ name: 'x', scopes: ['metrics:read'] });
    await db.close();
    await expect.poll(readiness).toMatchObject({ status: 'ready' });
    expect((await metrics({})).status).toBe(401);
    expect((await metrics({ authorization: `Bearer ${token}` })).status).toBe(200);

    await process.terminate();
    await drop();
  });

  it('says in one line without stacks that the database is not migrated', async () => {
    const { url, drop } = await createTestDatabase();
    const { process } = await startListening({ DATABASE_URL: url });
    await process.waitForLine(/the gateway is not ready: .*run \\"posthaste migrate\\"/);
    await sleep(2_000);
    const warnings = process.output.split('\n').filter((line) => !line.includes('"level":"info"'));
    expect(warnings).toEqual([expect.stringContaining('the gateway is not ready')]);
    expect(process.output).not.toContain('stack');
    await process.terminate();
    await drop();
  });

  it.each([
    [
      'the encoding LATIN1',
      [`create database name encoding 'LATIN1' locale 'C' template template0`],
      /must have UTF8/,
    ],
    [
      'no triggers',
      ['create database name', `alter database name set session_replication_role = 'replica'`],
      /reset session_replication_role/,
    ],
  ])('does not start on a database with %s', async (_, statements, advice) => {
    const admin = await createTestDatabase();
    const name = `${new URL(admin.url).pathname.slice(1)}_other`;
    const db = await openPostgres({ url: admin.url });
    for (const statement of statements) {
      await db.query(statement.replace('database name', `database ${name}`));
    }
    const url = admin.url.replace(/[^/]+$/, name);
    const process = await startMain({ ...noDatabase, DATABASE_URL: url });
    expect(await process.exited).toMatchObject({ code: 1 });
    expect(process.output).toMatch(advice);
    expect(process.output.split('\n')).toHaveLength(1);
    await db.query(`drop database ${name}`);
    await db.close();
    await admin.drop();
  });

  it('logs an outage once when it begins and once when it ends', async () => {
    const server = await startPostgres();
    const db = await openPostgres({ url: server.url });
    await migrate(db, [
      accessMigrations,
      callbacksMigrations,
      eventstreamMigrations,
      eventLogMigrations,
      realtimeMigrations,
    ]);
    await db.close();
    const { process, port } = await startListening({ DATABASE_URL: server.url });
    const ready = () => fetch(`http://127.0.0.1:${port}/health/ready`).then(({ status }) => status);
    const publish = () =>
      fetch(`http://127.0.0.1:${port}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"topic":"orders","name":"order.placed","payload":{}}',
      }).then(({ status }) => status);
    await expect.poll(ready, { timeout: 10_000 }).toBe(200);
    expect(await publish()).toBeLessThan(300);
    await server.kill();
    for (let second = 0; second < 3; second++) {
      expect(await publish()).toBe(503);
      await sleep(1_000);
    }
    await server.start();
    await process.waitForLine(/the gateway is ready/);
    expect(await publish()).toBeLessThan(300);
    const lines = process.output.split('\n').map((line) => JSON.parse(line).msg as string);
    expect(lines).toEqual([
      'the gateway listens',
      expect.stringMatching(/^the gateway is not ready: /),
      expect.stringMatching(/^the gateway is ready: its database is usable after \d+ s$/),
    ]);
    await process.terminate();
    await server.close();
  });
});

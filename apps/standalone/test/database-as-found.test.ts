import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgres } from '@posthaste/postgres';
import {
  createTestDatabase,
  type RunningProcess,
  startPostgres,
  startReceiver,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { posthaste, startPlatform, startPosthaste, waitOptions } from './posthaste.js';

/** Settings of a database that would change values, statements or the fate of transactions. */
const hostileSettings: Readonly<Record<string, string>> = {
  bytea_output: 'escape',
  array_nulls: 'off',
  extra_float_digits: '-15',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kolkata',
  client_encoding: 'LATIN1',
  standard_conforming_strings: 'off',
  transform_null_equals: 'on',
  idle_session_timeout: '1s',
  search_path: 'nowhere',
  quote_all_identifiers: 'on',
  row_security: 'off',
  xmloption: 'document',
};

async function databaseWith(settings: Readonly<Record<string, string>>): Promise<string> {
  const { url, drop } = await createTestDatabase();
  const name = new URL(url).pathname.slice(1);
  const db = await openPostgres({ url });
  for (const [setting, value] of Object.entries(settings)) {
    await db.query(`alter database ${name} set ${setting} = '${value}'`);
  }
  await db.close();
  onTestFinished(drop);
  return url;
}

describeWithPostgres('the platform on a database as it is found', () => {
  it('accepts, delivers and shows the same with settings that mean something else', async () => {
    const receiver = await startReceiver([503, 200]);
    onTestFinished(() => receiver.close());
    const { url, process } = await startPlatform({
      DATABASE_URL: await databaseWith(hostileSettings),
    });
    const post = (path: string, body: unknown) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const text = 'bö\\dy "\u0001"';
    const retry = { phases: [{ retries: 3, delayMs: 200 }] };
    const accepted = await post('/v1/callbacks', { url: receiver.url, json: { text }, retry });
    expect(accepted.status).toBe(201);
    const { id } = (await accepted.json()) as { id: string };
    const shown = async () => (await fetch(`${url}/v1/callbacks/${id}`)).json();
    await expect.poll(shown, waitOptions).toMatchObject({ state: 'delivered' });
    const bodies = receiver.requests.map(({ body }) => JSON.parse(body.toString()));
    expect(bodies).toEqual([{ text }, { text }]);
    const { createdAt } = (await shown()) as { createdAt: string };
    expect(Math.abs(Date.parse(createdAt) - Date.now())).toBeLessThan(120_000);

    const published = await post('/v1/events', {
      topic: 'orders',
      name: 'order.placed',
      payload: { text },
    });
    expect(published.status).toBeLessThan(300);
    const read = async () => (await fetch(`${url}/v1/events?topic=orders`)).text();
    await expect.poll(read, waitOptions).toContain(JSON.stringify(text));
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const failures = process.output
      .split('\n')
      .filter((line) => /"level":"(warn|error)"/.test(line));
    expect(failures).toEqual([]);
  });

  it('refuses to migrate a database that is not UTF8, in a sentence', async () => {
    const { url, drop } = await createTestDatabase();
    const name = `${new URL(url).pathname.slice(1)}_latin1`;
    const db = await openPostgres({ url });
    await db.query(`create database ${name} encoding 'LATIN1' locale 'C' template template0`);
    const { code, stderr } = await posthaste(['migrate'], {
      DATABASE_URL: url.replace(/[^/]+$/, name),
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^the database has the encoding LATIN1, and must have UTF8: .*\n$/);
    await db.query(`drop database ${name}`);
    await db.close();
    await drop();
  });

  it('says in readiness that a database is read-only', async () => {
    const database = await databaseWith({});
    const { url, process } = await startPlatform({ DATABASE_URL: database });
    await process.waitForLine(/Posthaste listens/);
    const db = await openPostgres({ url: database });
    const name = new URL(database).pathname.slice(1);
    await db.query(`alter database ${name} set default_transaction_read_only = on`);
    await db.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
      [name],
    );
    const ready = async () => (await fetch(`${url}/health/ready`)).json();
    await expect.poll(ready, waitOptions).toMatchObject({
      status: 'not_ready',
      checks: [{ name: 'database', code: 'DATABASE_READ_ONLY' }],
    });
    await db.close();
  });

  it('posthaste worker and posthaste start log an outage in two lines each', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const env = {
      DATABASE_URL: server.url,
      POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      POSTHASTE_PORT: '0',
      POSTHASTE_WORKER_THREADS: '2',
    };
    expect(await posthaste(['migrate'], env)).toMatchObject({ code: 0 });
    const services = [
      { name: 'worker', process: await startPosthaste(['worker'], env, /the worker delivers/) },
      { name: 'standalone', process: await startPosthaste(['start'], env, /Posthaste listens/) },
    ];
    await server.kill();
    for (const { name, process } of services) {
      await process.waitForLine(new RegExp(`the ${name} is not ready`));
    }
    await sleep(5_000);
    await server.start();
    for (const { name, process } of services) {
      await process.waitForLine(new RegExp(`the ${name} is ready`));
    }
    await sleep(1_000);
    for (const { name, process } of services) {
      expect(linesAboutFailures(process)).toEqual([
        expect.stringMatching(`^the ${name} is not ready: `),
        expect.stringMatching(`^the ${name} is ready: its database is usable after \\d+ s$`),
      ]);
      expect(await process.terminate()).toEqual({ code: 0, signal: null });
    }
  });
});

/** Returns the texts of the lines in JSON, without those of the start. */
function linesAboutFailures(process: RunningProcess): string[] {
  const lines = process.output.split('\n').filter((line) => line.startsWith('{'));
  return lines
    .map((line) => (JSON.parse(line) as { msg: string }).msg)
    .filter((text) => !/^(?:the worker delivers|migrated)$/.test(text));
}

import { execFile, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, type Receiver, startReceiver } from '@posthaste/testbed';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { postCallback } from '../../test/post-callback.js';
import {
  emptyFolder,
  newDatabase,
  posthaste,
  posthasteProcess,
  type StartedPlatform,
  startPlatform,
  startPosthaste,
  waitOptions,
} from '../../test/posthaste.js';

const hasCurl = spawnSync('curl', ['--version']).status === 0;

/** With these, attempts that were under way at a kill are soon sent again. */
const shortLeases = { POSTHASTE_CALLBACK_TIMEOUT: '1s', POSTHASTE_CALLBACK_LEASE: '3s' };

async function startScripted(...script: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...script);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** Returns the ids of the callbacks that the receiver got. */
function receivedIds({ requests }: Receiver): Set<unknown> {
  return new Set(requests.map(({ headers }) => headers['webhook-id']));
}

describe('posthaste start', () => {
  let platform: StartedPlatform;
  beforeAll(async () => {
    platform = await startPlatform();
  });

  it.skipIf(!hasCurl)('prints a curl command that works as printed', async () => {
    const { process } = platform;
    const [command] = await process.waitForLine(/curl -H .*$/);
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `${command} -s`]);
    const { id } = JSON.parse(stdout) as { id: string };
    const [show] = await process.waitForLine(/curl .*<id>$/);
    const status = async () => {
      const shown = await promisify(execFile)('/bin/sh', [
        '-c',
        `${show.trim().replace('<id>', id)} -s`,
      ]);
      return JSON.parse(shown.stdout) as object;
    };
    await expect
      .poll(status, waitOptions)
      .toMatchObject({ state: 'delivered', attempts: [{ statusCode: 200 }] });
  });

  it('prints the native API first, and the older one for existing clients', async () => {
    const { process, url } = platform;
    await process.waitForLine(/for existing clients/i);
    const addresses = process.output.match(/http\S+\/(?:v1\/callbacks|callback)$/gm);
    expect(addresses).toEqual([`${url}/v1/callbacks`, `${url}/callback`]);
  });

  it('redirects from its root to the documentation', async () => {
    const { process, url } = platform;
    await process.waitForLine(new RegExp(`listens on ${url}$`));
    const page = await fetch(`${url}/`);
    expect([page.status, page.url]).toEqual([200, `${url}/docs`]);
  });

  it('lets no second process open its data; that one exits with 1 and says what to do', async () => {
    const { env, process } = platform;
    const { code, stderr } = await posthasteProcess(['start'], { ...env, POSTHASTE_PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `${env.POSTHASTE_DATA_DIR}/database is in use by process ${process.pid}. Stop that one, or set POSTHASTE_DATA_DIR to another folder. (DATABASE_IN_USE)\n`,
    );
  });

  it('exits with 1 when its data folder cannot be created, and says what to do', async () => {
    const env = { POSTHASTE_DATA_DIR: fileURLToPath(import.meta.url), POSTHASTE_PORT: '0' };
    const { code, stderr } = await posthasteProcess(['start'], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^the database in .* Set POSTHASTE_DATA_DIR to another folder\. \(DATABASE_FOLDER_INVALID\)\n$/,
    );
  });

  it('stops within its limit on SIGTERM, although a receiver never answers', async () => {
    const receiver = await startScripted({ kind: 'hang' });
    const env = { ...(await newDatabase()), POSTHASTE_STOP_TIMEOUT: '1s' };
    const { process, url } = await startPlatform(env);
    await postCallback(url, receiver.url);
    await receiver.waitFor(1);
    const startedAt = performance.now();
    expect(await process.terminate()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(12_000);
  });

  it('stops under load on SIGTERM, and delivers accepted callbacks after the next start', async () => {
    const receiver = await startScripted({ kind: 'respond', delayMs: 300 });
    const { process, url, again } = await startPlatform(shortLeases);
    const ids: string[] = [];
    const poster = async (): Promise<void> => {
      for (;;) ids.push(await postCallback(url, receiver.url));
    };
    const posters = Promise.allSettled(Array.from({ length: 8 }, poster));
    await receiver.waitFor(20);
    expect(await process.terminate()).toEqual({ code: 0, signal: null });
    await posters;

    receiver.follow(200);
    await again();
    await receiver.waitUntil(() => receivedIds(receiver).size >= ids.length, 60_000);
    expect(ids.filter((id) => !receivedIds(receiver).has(id))).toEqual([]);
  });

  it('loses nothing after SIGKILL, and continues to deliver', async () => {
    const receiver = await startScripted({ kind: 'hang' });
    const { process, url, again } = await startPlatform(shortLeases);
    const ids = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        // Half of them in queues, of which only the heads are under way.
        postCallback(url, receiver.url, i % 2 ? { queue: `q${i % 10}` } : {}),
      ),
    );
    await receiver.waitFor(10);
    expect(await process.kill()).toMatchObject({ signal: 'SIGKILL' });

    receiver.clear();
    receiver.follow(200);
    await again();
    await receiver.waitUntil(() => receivedIds(receiver).size === ids.length, 60_000);
    expect([...receivedIds(receiver)].sort()).toEqual([...ids].sort());
  });
});

describe('posthaste start, when it cannot start', () => {
  it('exits with 78 on a wrong configuration, and lists every fault', async () => {
    const { code, stderr } = await posthasteProcess(['start'], {
      POSTHASTE_PORT: 'eighty',
      POSTHASTE_HOST: '0.0.0.0',
      POSTHASTE_ACCESS: 'loopback',
      POSTHASTE_CALLBACK_TIMEOUT: '29s',
      POSTHASTE_WORKER_CONCURRENCY: '5',
      POSTHASTE_PROT: '1',
    });
    expect(code).toBe(78);
    const lines = stderr.split('\n').filter((line) => line.startsWith('  - '));
    expect(lines.map((line) => /POSTHASTE_\w+/.exec(line)?.[0])).toEqual([
      'POSTHASTE_PORT',
      'POSTHASTE_ACCESS',
      'POSTHASTE_CALLBACK_LEASE',
      'POSTHASTE_WORKER_CONCURRENCY_PER_HOST',
      'POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION',
      'POSTHASTE_PROT',
    ]);
    expect(stderr).not.toContain('    at ');
  });

  it('exits with 1 when its port is taken, and says what to do', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void other.close());
    const { code, stderr } = await posthasteProcess(['start'], {
      ...(await newDatabase()),
      POSTHASTE_DATA_DIR: await emptyFolder(),
      POSTHASTE_PORT: String(port),
    });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `http://127.0.0.1:${port} is taken by another process. Stop that one, or set POSTHASTE_PORT to another port. (LISTEN_FAILED)\n`,
    );
  });

  it('requires a key before it listens on an address that others can reach', async () => {
    const env = {
      ...(await newDatabase()),
      POSTHASTE_DATA_DIR: await emptyFolder(),
      POSTHASTE_PORT: String(await freePort()),
      POSTHASTE_HOST: '0.0.0.0',
      // The test is not about load: a busy machine must not make requests be refused.
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    };
    const refused = await posthasteProcess(['start'], env);
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain(
      'Create one with "posthaste keys create --name admin --admin"',
    );

    const { stdout } = await posthaste(['keys', 'create', '--name', 'admin', '--admin'], env);
    await startPosthaste(['start'], env, /Posthaste listens on/);
    const list = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${env.POSTHASTE_PORT}/v1/callbacks`, { headers });
    expect((await list({})).status).toBe(401);
    expect((await list({ authorization: `Bearer ${stdout.trim()}` })).status).toBe(200);
    const { stderr } = await posthaste(['callbacks', 'list'], {
      POSTHASTE_URL: `http://127.0.0.1:${env.POSTHASTE_PORT}`,
    });
    expect(stderr).toMatch(/requires an API key: set POSTHASTE_API_KEY \(KEY_MISSING\)\n$/);
  });
});

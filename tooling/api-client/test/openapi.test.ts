import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  createTestDatabase,
  freePort,
  type Receiver,
  type RunningProcess,
  startProcess,
  startReceiver,
  type TestDatabase,
} from '@posthaste/testbed';
import type {} from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const document = join(root, 'docs/openapi.json');
const maxMs = 120_000;

/** Calls as a user of the API writes them, against the generated types. */
const client = `
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

const [, , baseUrl = '', receiver = ''] = process.argv;
const api = createClient<paths>({ baseUrl });

function take<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const published = take(
  await api.POST('/v1/events', {
    body: { topic: 'orders', key: 'k', name: 'order.placed', payload: { total: 3, lines: [{ sku: 'a' }] } },
  }),
);
const listed = take(
  await api.POST('/v1/events', { params: { query: { topic: 'orders' } }, body: [{ name: 'order.paid' }] }),
);
const events = take(
  await api.GET('/v1/events', { params: { query: { topic: 'orders', name: 'order.*' } } }),
);
// Asked for server-sent events, it would answer text.
if (typeof events === 'string') throw new Error('a page was asked for');
const payload: unknown = events.items.find(({ event }) => event?.name === 'order.placed')?.event?.payload;
const { endpoint } = take(
  await api.POST('/v1/endpoints', { body: { name: 'shop', url: receiver, headers: { 'x-shop': 'berlin' } } }),
);
// Without a body, which may be left out.
const paused = take(
  await api.POST('/v1/endpoints/{id}/pause', { params: { path: { id: endpoint.id } } }),
);
const callback = take(
  await api.POST('/v1/callbacks', { body: { url: receiver, json: { any: ['json', 1, null] } } }),
);
const shown = take(
  await api.GET('/v1/callbacks/{id}', { params: { path: { id: callback.id } } }),
);
const refused = await api.GET('/v1/callbacks/{id}', { params: { path: { id: 'none' } } });
console.log(
  JSON.stringify({
    topic: 'topic' in published && published.topic,
    statuses: 'items' in listed && listed.items.map(({ status }) => status),
    payload,
    paused: paused.state,
    method: shown.request.method,
    code: refused.error?.code,
  }),
);
`;

const require = createRequire(import.meta.url);
let folder = '';
let dataFolder = '';
let receiver: Receiver;
let platform: RunningProcess;
let database: TestDatabase | undefined;
let url = '';

beforeAll(async () => {
  // Below this package, so that the client finds its dependencies.
  folder = await mkdtemp(join(root, 'tooling/api-client/node_modules/.client-'));
  receiver = await startReceiver();
  const port = String(await freePort());
  url = `http://127.0.0.1:${port}`;
  dataFolder = await mkdtemp(join(tmpdir(), 'posthaste-api-'));
  // It starts faster than an embedded database.
  database = inject('postgresUrl') === undefined ? undefined : await createTestDatabase();
  platform = await startProcess({
    args: [join(root, 'apps/standalone/dist/main.js'), 'start'],
    env: {
      POSTHASTE_PORT: port,
      POSTHASTE_DATA_DIR: dataFolder,
      ...(database ? { DATABASE_URL: database.url } : {}),
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    },
    ready: new URL('/health/ready', url),
    readyTimeoutMs: maxMs,
  });
}, maxMs);

afterAll(async () => {
  await platform?.close();
  await database?.drop();
  await receiver?.close();
  for (const each of [folder, dataFolder]) {
    if (each) await rm(each, { recursive: true, force: true });
  }
});

/** Runs the command of a development dependency, and returns its output. */
async function run(name: string, command: string, args: readonly string[]): Promise<string> {
  const manifest = join(root, 'tooling/api-client/node_modules', name, 'package.json');
  const { bin } = require(manifest) as { bin: string | Record<string, string> };
  const path = join(dirname(manifest), typeof bin === 'string' ? bin : (bin[command] ?? ''));
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const { stdout } = await execute(process.execPath, [path, ...args], { cwd: folder, env }).catch(
    (error: Error & { stdout?: string; stderr?: string }) => {
      throw new Error(`${command} failed:\n${error.stdout}${error.stderr}`);
    },
  );
  return stdout;
}

it(
  'the API document has no finding of a linter',
  async () => {
    const output = await run('@redocly/cli', 'redocly', ['lint', document, '--format', 'json']);
    const { totals, problems } = JSON.parse(output) as {
      readonly totals: object;
      readonly problems: readonly { readonly ruleId: string; readonly message: string }[];
    };
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0 });
  },
  maxMs,
);

it(
  'a client generated from the API document compiles, and works',
  async () => {
    await run('openapi-typescript', 'openapi-typescript', [
      document,
      '-o',
      // No declaration file: the compiler checks it although it skips those of libraries.
      join(folder, 'api.ts'),
    ]);
    await writeFile(join(folder, 'client.ts'), client);
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await run('typescript', 'tsc', [
      ...['--strict', '--target', 'es2024', '--lib', 'es2024,dom'],
      ...['--module', 'nodenext', '--types', 'node', '--skipLibCheck', 'client.ts'],
    ]);
    const args = [join(folder, 'client.js'), url, receiver.url];
    const { stdout } = await execute(process.execPath, args, { cwd: folder });
    expect(JSON.parse(stdout)).toEqual({
      topic: 'orders',
      statuses: [201],
      payload: { total: 3, lines: [{ sku: 'a' }] },
      paused: 'paused',
      method: 'POST',
      code: 'CALLBACK_NOT_FOUND',
    });
  },
  maxMs,
);

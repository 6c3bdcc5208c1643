import { hostname } from 'node:os';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Environment, emptyFolder, posthaste, startPlatform } from '../../test/posthaste.js';

interface Entry {
  readonly id: string;
  readonly action: string;
  readonly actor: { readonly kind: string };
  readonly target: { readonly id: string };
  readonly after: Readonly<Record<string, unknown>> | null;
}

async function run(env: Environment, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(args, env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** Lists entries through a gateway. */
async function audit(url: string, ...options: string[]): Promise<readonly Entry[]> {
  const args = ['audit', '-n', '500', '--json', ...options];
  return JSON.parse(await run({ POSTHASTE_URL: url }, ...args)).items;
}

/** Creates and revokes a key by commands, and returns its token. */
async function changeKeys(env: Environment): Promise<string> {
  const create = ['keys', 'create', '--name', 'shop', '--scopes', 'queues:read'];
  const token = (await run(env, ...create)).trim();
  const [{ id }] = JSON.parse(await run(env, 'keys', 'list', '--json'));
  await run(env, 'keys', 'revoke', id);
  await run(env, 'keys', 'revoke', id);
  return token;
}

/** Entries of the commands before, the newest first. */
const byCommands = [
  {
    action: 'api-key.revoked',
    actor: { kind: 'command', id: expect.stringMatching(new RegExp(`.+@${hostname()}$`)) },
    target: { kind: 'api-key', name: 'shop' },
    changed: ['/revokedAt'],
    before: { name: 'shop', revokedAt: null },
  },
  {
    action: 'api-key.created',
    actor: { kind: 'command' },
    before: null,
    after: { name: 'shop', scopes: ['queues:read'] },
  },
  {
    action: 'database.migrated',
    actor: { kind: 'command' },
    after: { applied: expect.arrayContaining(['gateway 5: audit log']) },
  },
];

describe('posthaste audit', () => {
  it('lists what commands and callers changed, as a table and as JSON', async () => {
    const data = { POSTHASTE_DATA_DIR: await emptyFolder() };
    const token = await changeKeys(data);
    const { url } = await startPlatform(data);
    const found = await audit(url);
    expect(found).toMatchObject(byCommands);
    expect(JSON.stringify(found)).not.toContain(token.slice(40));

    const client = { POSTHASTE_URL: url };
    await run(client, 'endpoints', 'create', 'orders', 'https://example.com/hooks');
    const table = await run(client, 'audit', '--action', 'endpoint.*');
    const [head, row] = table.split('\n');
    expect(head).toMatch(/^TIME +ACTOR +ACTION +APPLICATION +TARGET +CHANGED +FROM$/);
    expect(row).toMatch(
      /^20\S+Z +local local +endpoint.created +- +orders +\d+ members +127.0.0.1$/,
    );
    expect(await audit(url, '--target-kind', 'endpoint', '--until', '1h')).toEqual([]);
    expect(await audit(url, '--actor', 'nobody')).toEqual([]);
    const refused = await posthaste(['audit', '--action', 'a*'], client);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^action: .*\(REQUEST_INVALID\)\n$/);
  });

  it('has every change that survives a SIGKILL, and no other', async () => {
    const { process, url, again } = await startPlatform();
    const post = (path: string, method: string, body: object): Promise<Response> =>
      fetch(`${url}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const hook = 'https://example.com/';
    const maxChanges = 400;
    const ids: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      const made = await post('/v1/endpoints', 'POST', { name: `e${i}`, url: hook });
      ids.push(((await made.json()) as { endpoint: { id: string } }).endpoint.id);
    }
    let answered = 0;
    const changer = async (id: string): Promise<void> => {
      for (let timeoutMs = 1; timeoutMs <= maxChanges; timeoutMs += 1) {
        const { ok } = await post(`/v1/endpoints/${id}`, 'PATCH', { timeoutMs });
        if (ok) answered += 1;
      }
    };
    const changers = Promise.allSettled(ids.map(changer));
    await expect.poll(() => answered, { timeout: 60_000 }).toBeGreaterThan(40);
    await process.kill();
    await changers;

    await again();
    let recorded = 0;
    for (const id of ids) {
      const query = `target=${id}&action=endpoint.updated&limit=500`;
      const page = await fetch(`${url}/v1/audit?${query}`);
      const { items: entries } = (await page.json()) as { items: Entry[] };
      const shown = await fetch(`${url}/v1/endpoints/${id}`);
      const { timeoutMs } = (await shown.json()) as { timeoutMs: number };
      // Each change adds one, so the number of entries is the state.
      expect(entries.map(({ after }) => after?.timeoutMs)).toEqual(
        Array.from({ length: timeoutMs }, (_, i) => timeoutMs - i),
      );
      recorded += entries.length;
    }
    expect(recorded).toBeGreaterThanOrEqual(answered);
  });
});

describeWithPostgres('commands that write to Postgres', () => {
  it('record what they changed', async () => {
    const { url, drop } = await createTestDatabase();
    onTestFinished(drop);
    const env = { DATABASE_URL: url };
    await run(env, 'migrate');
    await changeKeys(env);
    const platform = await startPlatform(env);
    expect(await audit(platform.url)).toMatchObject(byCommands);
  });
});

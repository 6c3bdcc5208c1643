import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Environment, emptyFolder, posthaste, startPlatform } from '../../test/posthaste.js';

async function keys(env: Environment, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(['keys', ...args], env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** Creates, lists and revokes a key, and checks the output of each command. */
async function expectKeyLifecycle(env: Environment, ...options: string[]): Promise<void> {
  const scopes = ['--scopes', 'queues:read', 'metrics:read'];
  const token = await keys(env, ...options, 'create', '--name', 'shop', ...scopes);
  expect(token).toMatch(/^phk_\S+\n$/);
  const listed = JSON.parse(await keys(env, ...options, 'list', '--json'));
  expect(listed).toMatchObject([{ name: 'shop', scopes: ['queues:read', 'metrics:read'] }]);
  expect(JSON.stringify(listed)).not.toContain(token.trim());

  expect(await keys(env, ...options, 'revoke', listed[0].id)).toBe('revoked shop\n');
  const [head, row] = (await keys(env, ...options, 'list')).split('\n');
  expect(head).toMatch(/^ID +NAME +APPLICATIONS +SCOPES +STATE +CREATED +EXPIRES +LAST USED$/);
  expect(row?.split(/ {2,}/).slice(0, 5)).toEqual([
    listed[0].id,
    'shop',
    'all',
    'queues:read,metrics:read',
    'revoked',
  ]);

  const names = ['--application', 'shop', '--application', ''];
  await keys(env, ...options, 'create', '--name', 'bound', '--admin', ...names);
  const [bound] = JSON.parse(await keys(env, ...options, 'list', '--json'));
  expect(bound).toMatchObject({ name: 'bound', applications: ['shop', ''] });
  expect((await keys(env, ...options, 'list')).split('\n')[1]).toMatch(/ bound +shop,"" +admin /);
}

describe('posthaste keys', () => {
  it('works on an embedded database, also on a new one', async () => {
    const env = { POSTHASTE_DATA_DIR: await emptyFolder() };
    const args = ['create', '--name', 'admin', '--admin', '--expires', '2999-01-01', '-o', 'json'];
    expect(JSON.parse(await keys(env, ...args))).toMatchObject({
      name: 'admin',
      scopes: ['admin'],
      expiresAt: '2999-01-01T00:00:00.000Z',
      token: expect.stringMatching(/^phk_\S+$/),
    });
    expect(await keys(env, 'list')).toMatch(/\n\S+ +admin +all +admin +active /);
  });

  it('works through a running gateway, and suggests it when that has the database open', async () => {
    const { url, env } = await startPlatform({ POSTHASTE_DATA_DIR: await emptyFolder() });
    await expectKeyLifecycle({}, '--url', url);
    const refused = await posthaste(['keys', 'list'], env);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/in use by process \d+.*posthaste keys --url .*DATABASE_IN_USE/);
    const unknown = await posthaste(['keys', '--url', url, 'revoke', 'x']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^.+ \(KEY_NOT_FOUND\)\n$/);
  });

  it.each([
    [['create']],
    [['create', '--name', '', '--admin']],
    [['create', '--name', 'x', '--admin', '--scopes', 'queues:read']],
    [['create', '--name', 'x', '--scopes', 'everything']],
    [['create', '--name', 'x', '--admin', '--expires', '2020-01-01']],
    [['create', '--name', 'x', '--admin', '--expires', 'tomorrow']],
  ])('exits with 64 on %j', async (args) => {
    expect(await posthaste(['keys', ...args])).toMatchObject({ code: 64, stdout: '' });
  });

  it('asks for --scopes or --admin, and creates no key without them', async () => {
    const env = { POSTHASTE_DATA_DIR: await emptyFolder() };
    const { code, stdout, stderr } = await posthaste(['keys', 'create', '--name', 'x'], env);
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(/^error: give --scopes .*callbacks:write.* or --admin /);
  });
});

describeWithPostgres('posthaste keys and migrate, on Postgres', () => {
  it('work on DATABASE_URL, keys only once it is migrated', async () => {
    const { url, drop } = await createTestDatabase();
    onTestFinished(drop);
    const env = { DATABASE_URL: url };
    const early = await posthaste(['keys', 'create', '--name', 'x', '--admin'], env);
    expect(early.code).toBe(1);
    expect(early.stderr).toMatch(/run "posthaste migrate" first \(MIGRATION_PENDING\)\n$/);

    const first = await posthaste(['migrate'], env);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(
      /^applied gateway 1: .*\n(?:applied gateway .*\n)*applied callbacks 1: /,
    );
    expect((await posthaste(['migrate'], env)).stdout).toBe('The database is up to date.\n');
    await expectKeyLifecycle(env);
  });

  it('say in one line that the database cannot be reached', async () => {
    const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    for (const args of [['migrate'], ['keys', 'list']]) {
      const { code, stderr } = await posthaste(args, env);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^.+ \(DATABASE_UNAVAILABLE\)\n$/);
    }
  });
});

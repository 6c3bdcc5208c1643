import { createClient } from '@posthaste/eventstream';
import { type Database, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { posthaste, startPlatform, startPosthaste, waitOptions } from '../../test/posthaste.js';

describeWithPostgres('posthaste events dlq', () => {
  const toClose: (() => Promise<unknown>)[] = [];
  let env: { POSTHASTE_URL: string };
  let db: Database;

  beforeAll(async () => {
    const database = await createTestDatabase();
    const platform = await startPlatform({
      DATABASE_URL: database.url,
    });
    env = { POSTHASTE_URL: platform.url };
    db = await openPostgres({ url: database.url, maxConnections: 4 });
    toClose.push(
      () => platform.process.close(),
      () => db.close(),
      () => database.drop(),
    );
  });
  afterAll(async () => {
    for (const close of toClose) await close();
  });

  /** Runs `posthaste events dlq …` and returns its standard output. */
  async function dlq(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await posthaste(['events', 'dlq', ...args], env);
    expect([code, stderr.includes('(')]).toEqual([0, false]);
    return stdout;
  }

  /** Publishes `count` events, and lets a consumer fail on each. */
  async function fail(topic: string, count: number): Promise<void> {
    const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ name: `e${i % 2}` }));
    const args = ['events', 'publish', topic, '--lines', '-'];
    await posthaste(args, env, lines.join('\n'));
    const client = await createClient('', 'postgres', [], { database: db });
    client.register({
      topic,
      groupId: 'mail',
      offset: -2,
      sendErrorDlq: true,
      retry: { maxAttempts: 1 },
      callback: () => {
        throw new Error('it broke');
      },
    });
    const letters = async () => (await dlq('list', topic, '-n', '500')).split('\n').length - 2;
    await expect.poll(letters, waitOptions).toBe(count);
    await client.close();
  }

  it('lists dead letters, as a table or as JSON', async () => {
    await fail('listed', 3);
    const [head, ...rows] = (await dlq('list', 'listed')).trimEnd().split('\n');
    expect(head).toMatch(/^FAILED +TOPIC +EVENT +KEY +GROUP +ATTEMPTS +REPLAYED +ERROR$/);
    for (const row of rows) expect(row).toMatch(/ listed +e\d +\w+ +mail +1 +- +it broke$/);
    expect(JSON.parse(await dlq('list', '--name', 'e1', '--json')).items).toMatchObject([
      { topic: 'listed.dlq', event: { name: 'e1' }, failure: { group: 'mail' } },
    ]);
    expect(await dlq('list', 'listed', '-g', 'other')).toMatch(/^FAILED .*\n$/);
    const page = await dlq('list', 'listed', '-n', '2');
    const [, cursor = ''] = /more: --cursor (\S+)/.exec(page) ?? [];
    expect((await dlq('list', 'listed', '--cursor', cursor)).trimEnd().split('\n')).toHaveLength(2);
  });

  it('counts dead letters, and replays each once', async () => {
    await fail('replayed', 4);
    expect(await dlq('replay', 'replayed', '--dry-run')).toBe(
      '4 of 4 dead letters of replayed would be replayed\n',
    );
    expect(await dlq('replay', 'replayed', '--name', 'e1', '--rate', '1000')).toBe(
      'replayed 2 of 2 dead letters of replayed\n',
    );
    expect(await dlq('replay', 'replayed')).toBe(
      'replayed 2 of 4 dead letters of replayed; 2 skipped: replayed before, or without a topic of origin\n',
    );
    expect(await dlq('replay', 'replayed', '--again', '-g', 'mail')).toBe(
      'replayed 4 of 4 dead letters of replayed\n',
    );
    const { stdout } = await posthaste(['events', 'tail', 'replayed', '--no-follow'], env);
    expect(stdout.trimEnd().split('\n')).toHaveLength(12);
    expect(await dlq('replays')).toMatch(/^ID +TOPIC +STATE .*\n\S+ +replayed +done +4 +4 +0 /);
  });

  it('shows the progress of a replay, and cancels it on Ctrl-C', async () => {
    await fail('stopped', 30);
    const args = ['events', 'dlq', 'replay', 'stopped', '--rate', '5'];
    const running = await startPosthaste(args, env, /found .* replayed [1-9]/);
    process.kill(running.pid, 'SIGINT');
    const [line] = await running.waitForLine(/^replayed \d+ of \d+ .*; stopped$/);
    expect(Number(/\d+/.exec(line)?.[0])).toBeLessThan(30);
    expect(await running.exited).toMatchObject({ code: 1 });
  });

  it('runs a replay without its command, until it is cancelled', async () => {
    await fail('detached', 30);
    const id = (await dlq('replay', 'detached', '--rate', '5', '--detach')).trim();
    expect(await dlq('replays')).toMatch(new RegExp(`${id} +detached +running`));
    expect(await dlq('cancel', id)).toBe('cancelled\n');
  });
});

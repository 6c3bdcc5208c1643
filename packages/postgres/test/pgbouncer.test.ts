import { type PgBouncer, type PgBouncerOptions, startPgBouncer } from '@posthaste/testbed';
import { describeWithPgBouncer } from '@posthaste/testbed/vitest';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { useServer } from './server-under-test.js';

describeWithPgBouncer('through PgBouncer', () => {
  const subject = useServer();
  const poolers: PgBouncer[] = [];

  const openThrough = async (
    poolMode: PgBouncerOptions['poolMode'],
    settings: PgBouncerOptions['settings'] = {},
  ): Promise<Database> => {
    const { url: serverUrl } = subject.server;
    const pooler = await startPgBouncer({ serverUrl, poolMode, settings });
    poolers.push(pooler);
    return subject.open({ url: pooler.url });
  };
  afterEach(() => Promise.all(poolers.splice(0).map((pooler) => pooler.close())));

  it('works in session mode, with the defaults of its package', async () => {
    await subject.asAdmin(`alter database postgres set bytea_output = 'escape'`);
    const db = await openThrough('session');
    const statement = { name: 'read_bytes', text: `select $1::bytea as body` };
    for (const body of [Buffer.from([0, 92]), Buffer.from('b')]) {
      expect((await db.query(statement, [body])).rows).toEqual([{ body }]);
    }
    const received: string[] = [];
    await db.listen('news', (payload) => received.push(payload));
    await db.transaction((tx) => tx.query(`select pg_notify('news', 'one')`));
    await expect.poll(() => received).toEqual(['one']);
    const { rows } = await db.query(`select current_setting('statement_timeout') as longest`);
    expect(rows).toEqual([{ longest: '30s' }]);
    await subject.asAdmin('alter database postgres reset bytea_output');
  });

  it.each([
    ['transaction', {}],
    ['transaction', { default_pool_size: '1' }],
    ['transaction', { server_round_robin: '1', min_pool_size: '5' }],
    ['statement', {}],
  ] as const)('is refused in %s mode with %o, with what to do', async (poolMode, settings) => {
    const db = await openThrough(poolMode, settings);
    const unsuitable = {
      code: 'DATABASE_UNSUITABLE',
      retryable: false,
      message: expect.stringContaining('pool_mode=session'),
    };
    await expect(db.ping()).rejects.toMatchObject(unsuitable);
    await expect(db.listen('x', () => undefined)).rejects.toMatchObject(unsuitable);
  });

  it('is refused in transaction mode also while others use its connections', async () => {
    const { url: serverUrl } = subject.server;
    const pooler = await startPgBouncer({ serverUrl, poolMode: 'transaction' });
    poolers.push(pooler);
    const busy = await Promise.all(Array.from({ length: 4 }, () => startBusyClient(pooler.url)));
    const db = await subject.open({ url: pooler.url });
    await expect(db.ping()).rejects.toMatchObject({ code: 'DATABASE_UNSUITABLE' });
    await Promise.all(busy.map((stop) => stop()));
  });
});

/** Starts a client that runs short statements without a pause. Returns a function that stops it. */
async function startBusyClient(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client(url);
  await client.connect();
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) await client.query('select pg_sleep(random() / 200)');
    await client.end();
  };
  const running = run();
  return () => {
    stopped = true;
    return running;
  };
}

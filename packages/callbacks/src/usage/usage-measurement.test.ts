import { newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { accept, work } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import {
  addAmounts,
  measureBacklog,
  measureCallbackBytes,
  measureEndpoints,
} from './usage-measurement.js';

function measurementOn(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);

  it('counts what is not finished, and the bytes of all', async () => {
    const body = Buffer.alloc(10_000, 'x');
    await accept(store.db, { application: 'a', body, method: 'POST' }, { application: '' });
    await work(store.db);
    await accept(store.db, ...Array.from({ length: 5 }, () => ({ application: 'a', queue: 'q' })), {
      application: '',
    });
    expect(await measureBacklog(store.db)).toEqual(
      new Map([
        ['a', 5],
        ['', 1],
      ]),
    );
    const bytes = await measureCallbackBytes(store.db);
    expect(bytes.get('a')).toBeGreaterThan(10_000);
    expect(bytes.get('a')).toBeLessThan(20_000);
    expect(bytes.get('')).toBeLessThan(3_000);
  });

  it('counts endpoints', async () => {
    expect(await measureEndpoints(store.db)).toEqual(new Map());
    await store.db.query(
      `insert into callbacks.endpoint (id, application, name, url, headers, policy, timeout_ms)
       values ($1, 'a', 'e', 'http://x', '{}', '{}', 1000)`,
      [newId()],
    );
    expect(await measureEndpoints(store.db)).toEqual(new Map([['a', 1]]));
    await store.db.query('delete from callbacks.endpoint');
  });
}

describeWithPostgres('the measurement of usage', () => {
  measurementOn('postgres');

  const store = useEmptiedStore();

  it('estimates a large table from a sample', async () => {
    await store.db.query(
      `insert into callbacks.waiting (application, queue, callback_id, lane, due_at)
       select case when i % 10 = 0 then 'b' else 'a' end, 'q', gen_random_uuid(), '', now()
       from generate_series(1, 400000) i`,
    );
    const backlog = await measureBacklog(store.db);
    await store.db.query('truncate callbacks.waiting');
    expect(backlog.get('a')).toBeGreaterThan(250_000);
    expect(backlog.get('a')).toBeLessThan(470_000);
    expect(backlog.get('b')).toBeGreaterThan(20_000);
  });
});

describe('the measurement of usage, embedded', () => measurementOn('embedded'));

it('adds amounts', () => {
  expect(
    addAmounts(
      new Map([['a', 1]]),
      new Map([
        ['a', 2],
        ['b', 3],
      ]),
    ),
  ).toEqual(
    new Map([
      ['a', 3],
      ['b', 3],
    ]),
  );
});

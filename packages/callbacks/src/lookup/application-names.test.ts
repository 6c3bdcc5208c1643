import type { Queryable } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { accept } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { ensurePartitions } from '../retention/partitions.js';
import { listApplicationNames } from './application-names.js';

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);

  it('has each name once, whatever it is, page by page', async () => {
    const { db } = store;
    const names = ['', 'a', 'a/b', 'caf\u00e9', 'cafe\u0301', '__proto__'];
    for (const application of names) await accept(db, { application }, { application });
    await db.query(`
      insert into callbacks.queue (application, queue) values ('queues', 'q'), ('a', 'q');
      insert into callbacks.secret (application, name, version, kind, sealed)
        values ('secrets', 'main', 1, 'hmac', ''), ('secrets', 'main', 2, 'hmac', '')`);
    const seen: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await listApplicationNames(db, after, 2);
      seen.push(...page);
      after = page.at(-1);
      if (page.length < 2) break;
    }
    expect(seen).toHaveLength(new Set(seen).size);
    expect(seen.toSorted()).toEqual([...names, 'queues', 'secrets'].toSorted());
  });

  it('has none without any', async () => {
    await store.db.query('truncate callbacks.queue, callbacks.secret');
    expect(await listApplicationNames(store.db, undefined, 10)).toEqual([]);
  });
}

describe('names of applications on the embedded database', () => suite('embedded'));

/** Node of a plan, as `explain` shows it. */
interface PlanNode {
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

/** Returns the number of rows that a plan has read from tables. */
function rowsRead({ Plans = [], ...node }: PlanNode): number {
  const own = node['Relation Name'] ? node['Actual Rows'] * node['Actual Loops'] : 0;
  return Plans.reduce((sum, each) => sum + rowsRead(each), own);
}

describeWithPostgres('names of applications on Postgres', () => {
  suite('postgres');
});

describeWithPostgres('names of the applications of many callbacks', () => {
  const store = useEmptiedStore();

  it('are found without reading the callbacks', async () => {
    const { db } = store;
    await ensurePartitions(db, { daysAhead: 1 });
    const of = (application: string) => Array.from({ length: 500 }, () => ({ application }));
    for (const name of ['a', 'b', 'c', 'a']) await accept(db, ...of(name));
    await db.query('analyze callbacks.request');
    const plans: PlanNode[] = [];
    const explained: Queryable = {
      query: async (statement, values) => {
        const text = `explain (analyze, format json) ${String(statement)}`;
        const { rows } = await db.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(text, values);
        plans.push(...rows.flatMap((row) => row['QUERY PLAN'].map(({ Plan }) => Plan)));
        return { rows: [], rowCount: 0 };
      },
    };
    await listApplicationNames(explained, undefined, 100);
    await listApplicationNames(explained, 'a', 100);
    expect(await listApplicationNames(db, 'a', 100)).toEqual(['b', 'c']);
    expect(plans).toHaveLength(2);
    for (const plan of plans) expect(rowsRead(plan)).toBeLessThan(50);
  });
});

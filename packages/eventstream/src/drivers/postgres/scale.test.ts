import { once } from 'node:events';
import type { Statement } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { append, appendMany, openTestLog, recordOf, type TestLog } from '../../../test/open-log.js';
import { createClient } from '../../client/create-client.js';
import type { HandlerContext } from '../../consume/registration.js';
import { offsetBeginning, offsetEnd } from '../../driver.js';
import { progressStatement } from './group/group-pages.js';
import { claimStatement, dueStatement } from './group/group-store.js';
import { recordsStatement, traitsStatement } from './read/live-queries.js';
import { rangeStatement } from './read/read-store.js';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Loops'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** Execution of a statement with its generic plan. */
interface Execution {
  /** Number of pages of tables and indexes that were read. */
  readonly pages: number;
  /** Scans of partitions of the log. */
  readonly scans: readonly string[];
  readonly nodes: ReadonlySet<string>;
}

/** Types and values of a statement's parameters, in SQL. */
interface Parameters {
  readonly types: string;
  readonly values: string;
}

async function execute(
  { db }: TestLog,
  { text }: Statement,
  { types, values }: Parameters,
): Promise<Execution> {
  return db.transaction(async (tx) => {
    await tx.query('set local plan_cache_mode = force_generic_plan');
    await tx.query(`prepare looked_at (${types}) as ${text}`);
    const { rows } = await tx.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `explain (analyze, buffers, format json) execute looked_at (${values})`,
    );
    await tx.query('deallocate looked_at');
    const root = rows[0]?.['QUERY PLAN'][0].Plan;
    const nodes = root ? flatten(root) : [];
    return {
      pages: (root?.['Shared Hit Blocks'] ?? 0) + (root?.['Shared Read Blocks'] ?? 0),
      scans: nodes
        .filter((node) => node['Relation Name']?.startsWith('record_') && node['Actual Loops'])
        .map((node) => `${node['Node Type']} on ${node['Relation Name']}`),
      nodes: new Set(nodes.map((node) => node['Node Type'])),
    };
  });
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

const perSegment = 250_000;
const segments = 4;
const total = perSegment * segments;

/** Without statistics on purpose, as in the first minutes of every new partition. */
describe.each(['postgres', 'embedded'] as const)('a million records on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('behind one slow group', () => {
    let test: TestLog;
    let shard: number;
    beforeAll(async () => {
      test = await openTestLog(engine);
      const { db, log } = test;
      await log.ensureTopic('orders');
      await log.ensureGroup({ topic: 'orders', groupId: 'slow' }, offsetBeginning);
      for (let n = 0; n < segments; n++) {
        if (n > 0) {
          await db.query(
            `update eventstream.segment set started_at = started_at - interval '1 day'`,
          );
          await log.maintain();
        }
        await appendMany(db, 'orders', perSegment);
      }
      await log.ensureGroup({ topic: 'orders', groupId: 'quick' }, offsetEnd);
      const { rows } = await db.query<{ id: number }>('select id from eventstream.shard');
      shard = rows[0]?.id ?? 0;
    }, 300_000);
    afterAll(() => test.close());

    const range = (from: number): Promise<Execution> =>
      execute(test, rangeStatement, {
        types: 'integer, bigint, bigint, integer, integer',
        values: `${shard}, ${from}, ${total}, 500, 4194304`,
      });

    it('reads at the end from the newest partition only, by its index', async () => {
      const { scans, pages, nodes } = await range(total - 500);
      expect(scans).toEqual([`Index Scan on record_${segments}`]);
      expect(nodes).not.toContain('Seq Scan');
      expect(pages).toBeLessThan(60);
    });

    it('reads for the slow group as cheaply', async () => {
      const { scans, pages } = await range(0);
      expect(scans).toContain('Index Scan on record_1');
      expect(scans.every((scan) => scan.startsWith('Index Scan'))).toBe(true);
      expect(pages).toBeLessThan(60);
    });

    it('finds no records at the end without looking at those behind', async () => {
      const { scans, pages } = await range(total);
      expect(scans).toEqual([`Index Scan on record_${segments}`]);
      expect(pages).toBeLessThan(15);
    });

    it('reads live from the newest partition only, by its index', async () => {
      const places = `array[${shard}], array[${total - 500}]::bigint[], array[${total}]::bigint[]`;
      const traits = await execute(test, traitsStatement, {
        types: 'integer[], bigint[], bigint[]',
        values: places,
      });
      const records = await execute(test, recordsStatement, {
        types: 'integer[], bigint[], bigint[], integer, text[], text[]',
        values: `${places}, 65536, array[null]::text[], array[null]::text[]`,
      });
      for (const { scans, pages, nodes } of [traits, records]) {
        const [scan, ...others] = scans;
        expect(others).toEqual([]);
        expect(scan).toMatch(new RegExp(`^(Index|Bitmap Heap) Scan on record_${segments}$`));
        expect(nodes).not.toContain('Seq Scan');
        expect(pages).toBeLessThan(60);
      }
    });

    it('claims for another group, and reads the lag of all, without reading the records', async () => {
      const due = await execute(test, dueStatement, {
        types: 'integer[], text',
        values: `'{${shard}}', 'quick'`,
      });
      const claim = await execute(test, claimStatement, {
        types: 'integer, integer',
        values: `2, ${shard}`,
      });
      for (const { scans, pages } of [due, claim]) {
        expect(scans).toEqual([]);
        expect(pages).toBeLessThan(60);
      }
      const types = 'text, text, text, text, bigint, boolean, text, text, text, text';
      const progress = await execute(test, progressStatement, {
        types,
        values: 'null, null, null, null, 50, true, null, null, null, null',
      });
      expect(progress.scans.every((scan) => scan.startsWith('Index Only Scan'))).toBe(true);
      expect(progress.pages).toBeLessThan(100);
      const lag = await test.log.lag('orders');
      expect(lag.map(({ groupId, partitions }) => [groupId, partitions[0]?.lag])).toEqual([
        ['quick', 0n],
        ['slow', BigInt(total)],
      ]);
    });

    it('lets other groups consume as if it did not exist', async () => {
      await append(test, ...Array.from({ length: 300 }, (_, n) => recordOf(`${n}`, `key ${n}`)));
      const request = { topics: ['orders'], groupId: 'quick', limit: 500 };
      const { records } = await test.db.transaction((tx) => test.log.readGroupBatch(tx, request));
      expect(records.map(({ value }) => String(value))).toEqual(
        Array.from({ length: 300 }, (_, n) => `${n}`),
      );
    });

    it('lets clients publish and consume beside a consumer that never finishes its records', async () => {
      const client = await createClient('', 'postgres', [], { database: test.db });
      const endless = vi.fn(({ signal }: HandlerContext) => once(signal, 'abort'));
      client.register({ topic: 'orders', groupId: 'slow', maxInHand: 10, callbackRaw: endless });
      await vi.waitFor(() => expect(endless).toHaveBeenCalled(), { timeout: 20_000 });
      const received: number[] = [];
      const callback = (_ctx: unknown, event: { payload?: object } | null): unknown =>
        received.push(Object(event?.payload).n);
      client.register({ topic: 'orders', eventName: 'placed', groupId: 'quick', callback });
      for (let n = 1; n <= 100; n++) {
        await client.publish({ topic: 'orders', eventName: 'placed', payload: { n } });
      }
      // How soon each comes is measured by the bench.
      await expect.poll(() => received.length).toBe(100);
      expect(new Set(received).size).toBe(100);
      expect(endless).toHaveBeenCalledTimes(1);
      await client.close({ drainMs: 100 });
    });
  });
});

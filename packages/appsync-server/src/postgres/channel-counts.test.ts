import { randomUUID } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { useRealtimeDatabase } from '../../test/realtime-database.js';
import {
  type ChannelPageRequest,
  listCountedChannels,
  removeChannelNode,
  removeDeadChannelNodes,
  renewChannelNode,
  reportChannels,
} from './channel-counts.js';

const ofShop = (channel: string, subscribers: number) => ({ realm: 'shop', channel, subscribers });

function suite(engine: 'postgres' | 'embedded'): void {
  const database = useRealtimeDatabase(engine);
  const report = (node: string, counts: Parameters<typeof reportChannels>[2]) =>
    database().transaction((tx) => reportChannels(tx, node, counts));
  const createNode = async (): Promise<string> => {
    const node = randomUUID();
    expect(await renewChannelNode(database(), node, { leaseMs: 60_000 })).toBe(true);
    return node;
  };
  const list = async (request: Partial<ChannelPageRequest> = {}): Promise<string[]> => {
    const found = await listCountedChannels(database(), {
      ...{ application: 'shop', limit: 100 },
      ...request,
    });
    return found.map(({ channel, subscribers }) => `${channel} ${subscribers}`);
  };
  const expire = (node: string) =>
    database().query(
      `update realtime.channel_node set expires_at = now() - interval '1 s' where id = $1`,
      [node],
    );

  it('adds the subscribers of all nodes up', async () => {
    const [a, b] = [await createNode(), await createNode()];
    await report(a, [ofShop('/chat/1', 2), ofShop('/chat/2', 1)]);
    await report(b, [ofShop('/chat/1', 3), { realm: 'bank', channel: '/chat/3', subscribers: 9 }]);
    expect(await list()).toEqual(['/chat/1 5', '/chat/2 1']);
    await report(a, [ofShop('/chat/1', 0), ofShop('/chat/2', 4), ofShop('/chat/none', 0)]);
    expect(await list()).toEqual(['/chat/1 3', '/chat/2 4']);
    await removeChannelNode(database(), a);
    expect(await list()).toEqual(['/chat/1 3']);
    await report(b, []);
  });

  it('lists pages in the order of bytes, and channels with a prefix', async () => {
    const node = await createNode();
    const paths = ['/a', '/a-b/c', '/a/*', '/a/B', '/a/b', '/a/b/c', '/b/1'];
    await report(
      node,
      paths.toReversed().map((path) => ofShop(path, 1)),
    );
    const found: string[] = [];
    let page: string[];
    do {
      const after = found.at(-1)?.replace(/ 1$/, '');
      page = await list({ limit: 2, after });
      found.push(...page);
    } while (page.length > 0);
    expect(found).toEqual(paths.map((path) => `${path} 1`));
    expect(await list({ prefix: '/a/b' })).toEqual(['/a/b 1', '/a/b/c 1']);
    expect(await list({ prefix: '/a/', after: '/a/B' })).toEqual(['/a/b 1', '/a/b/c 1']);
    expect(await list({ prefix: '/%' })).toEqual([]);
  });

  it('does not count nodes whose leases have ended, and removes their reports', async () => {
    const [dead, alive] = [await createNode(), await createNode()];
    await report(dead, [ofShop('/chat/1', 2)]);
    await report(alive, [ofShop('/chat/1', 3)]);
    await expire(dead);
    expect(await list()).toEqual(['/chat/1 3']);
    await removeDeadChannelNodes(database());
    const { rows } = await database().query('select node_id from realtime.channel');
    expect(rows).toEqual([{ node_id: alive }]);
    // The node was only cut off: it learns that it has to report again.
    expect(await renewChannelNode(database(), dead, { leaseMs: 60_000 })).toBe(true);
    expect(await renewChannelNode(database(), dead, { leaseMs: 60_000 })).toBe(false);
  });

  it('takes the report of many channels', async () => {
    const node = await createNode();
    const counts = Array.from({ length: 5_000 }, (_, n) => ofShop(`/chat/${n}`, n + 1));
    await report(node, counts);
    expect(await list({ limit: 10_000 })).toHaveLength(5_000);
    await report(
      node,
      counts.map((count) => ({ ...count, subscribers: 0 })),
    );
    expect(await list()).toEqual([]);
  });
}

describe('counts of channels in the embedded database', () => suite('embedded'));
describeWithPostgres('counts of channels in Postgres', () => suite('postgres'));

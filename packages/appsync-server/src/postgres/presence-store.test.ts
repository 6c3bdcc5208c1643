import { randomUUID } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { useRealtimeDatabase } from '../../test/realtime-database.js';
import {
  joinMembers,
  leaveMembers,
  listMembers,
  type Member,
  removeDeadNodes,
  removeNode,
  renewNode,
} from './presence-store.js';

const lease = { leaseMs: 60_000 };
const inRoom = (member: string, data: unknown = {}): Member => ({
  application: 'shop',
  channel: '/default/room',
  member,
  data,
});
const names = (members: readonly { readonly member: string }[]): string[] =>
  members.map(({ member }) => member).toSorted();

function suite(engine: 'postgres' | 'embedded'): void {
  const database = useRealtimeDatabase(engine);
  const room = async (): Promise<string[]> => names(await listMembers(database(), inRoom(''), 100));
  const createNode = async (): Promise<string> => {
    const node = randomUUID();
    expect(await renewNode(database(), node, lease)).toBe(true);
    return node;
  };
  const expire = (node: string) =>
    database().query(`update realtime.node set expires_at = now() - interval '1 s' where id = $1`, [
      node,
    ]);

  it('says of many members which have come, and which have gone', async () => {
    const node = await createNode();
    const members = Array.from({ length: 500 }, (_, n) => inRoom(`m${n}`, { n }));
    expect(await joinMembers(database(), node, members)).toHaveLength(500);
    expect(await joinMembers(database(), node, [...members, inRoom('late')])).toEqual([
      inRoom('late'),
    ]);
    expect(await room()).toHaveLength(100);
    const gone = await leaveMembers(database(), node, [...members, inRoom('nobody')]);
    expect(gone).toHaveLength(500);
    expect(await room()).toEqual(['late']);
    expect(await joinMembers(database(), node, [])).toEqual([]);
    expect(await leaveMembers(database(), node, [])).toEqual([]);
  });

  it('keeps a member until its last node leaves', async () => {
    const [a, b] = [await createNode(), await createNode()];
    expect(names(await joinMembers(database(), a, [inRoom('ann', 1)]))).toEqual(['ann']);
    expect(await joinMembers(database(), b, [inRoom('ann', 2)])).toEqual([]);
    expect(await room()).toEqual(['ann']);
    expect(await leaveMembers(database(), a, [inRoom('ann')])).toEqual([]);
    expect(await listMembers(database(), inRoom(''), 9)).toEqual([inRoom('ann', 2)]);
    expect(names(await leaveMembers(database(), b, [inRoom('ann')]))).toEqual(['ann']);
    expect(await room()).toEqual([]);
  });

  it('keeps applications and channels apart', async () => {
    const node = await createNode();
    const other = { ...inRoom('ann'), application: 'bank' };
    const below = { ...inRoom('ann'), channel: '/default/room/1' };
    expect(await joinMembers(database(), node, [inRoom('ann'), other, below])).toHaveLength(3);
    expect(await leaveMembers(database(), node, [other])).toHaveLength(1);
    expect(await room()).toEqual(['ann']);
  });

  it('takes the last data of a member that joins twice at once', async () => {
    const node = await createNode();
    await joinMembers(database(), node, [inRoom('ann', 1), inRoom('ann', 2)]);
    expect(await listMembers(database(), inRoom(''), 9)).toEqual([inRoom('ann', 2)]);
  });

  it('removes the members of dead nodes once, and not those that are elsewhere', async () => {
    const [dead, alive] = [await createNode(), await createNode()];
    await joinMembers(database(), dead, [inRoom('ann'), inRoom('bob')]);
    await joinMembers(database(), alive, [inRoom('bob'), inRoom('cat')]);
    expect(await removeDeadNodes(database())).toEqual([]);
    await expire(dead);
    expect(await room()).toEqual(['bob', 'cat']);
    const removals = await Promise.all([removeDeadNodes(database()), removeDeadNodes(database())]);
    expect(names(removals.flat())).toEqual(['ann']);
    expect(await removeDeadNodes(database())).toEqual([]);
    // The node was only cut off: it learns that it has to join again.
    expect(await renewNode(database(), dead, lease)).toBe(true);
    expect(await renewNode(database(), dead, lease)).toBe(false);
    expect(names(await joinMembers(database(), dead, [inRoom('ann')]))).toEqual(['ann']);
  });

  it('adds no member of a node without a lease, whom nobody would remove', async () => {
    expect(await joinMembers(database(), randomUUID(), [inRoom('ann')])).toEqual([]);
    const { rows } = await database().query('select from realtime.member');
    expect(rows).toHaveLength(0);
  });

  it('removes the members of a node that stops', async () => {
    const [a, b] = [await createNode(), await createNode()];
    await joinMembers(database(), a, [inRoom('ann'), inRoom('bob')]);
    await joinMembers(database(), b, [inRoom('bob')]);
    expect(names(await removeNode(database(), a))).toEqual(['ann']);
    expect(await room()).toEqual(['bob']);
    expect(await removeNode(database(), a)).toEqual([]);
  });

  it('lets many nodes join the same members at the same time', async () => {
    const nodes = await Promise.all(Array.from({ length: 6 }, createNode));
    const members = Array.from({ length: 50 }, (_, n) => inRoom(`m${n}`));
    await Promise.all(
      nodes.map((node, n) =>
        joinMembers(database(), node, n % 2 === 0 ? members : members.toReversed()),
      ),
    );
    expect(await room()).toHaveLength(50);
    const gone = [];
    for (const node of nodes) gone.push(...(await removeNode(database(), node)));
    expect(gone).toHaveLength(50);
  });
}

describe('presence in the embedded database', () => suite('embedded'));
describeWithPostgres('presence in Postgres', () => suite('postgres'));

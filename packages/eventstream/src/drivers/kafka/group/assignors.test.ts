import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignRange, assignRoundRobin, type GroupAssignment } from './assignors.js';

const toObject = (assignment: GroupAssignment): Record<string, Record<string, number[]>> =>
  Object.fromEntries(
    [...assignment].map(([memberId, topics]) => [memberId, Object.fromEntries(topics)]),
  );

const bothRead = [
  { memberId: 'b', topics: ['x', 'y'] },
  { memberId: 'a', topics: ['x', 'y'] },
];

describe('the assignors', () => {
  it('gives runs of partitions, one more to the first members', () => {
    const counts = new Map([
      ['x', 3],
      ['y', 1],
    ]);
    expect(toObject(assignRange(bothRead, counts))).toEqual({
      a: { x: [0, 1], y: [0] },
      b: { x: [2] },
    });
  });

  it('deals partitions out in turns', () => {
    const counts = new Map([
      ['x', 3],
      ['y', 1],
    ]);
    expect(toObject(assignRoundRobin(bothRead, counts))).toEqual({
      a: { x: [0, 2] },
      b: { x: [1], y: [0] },
    });
  });

  it.each([
    ['range', assignRange],
    ['roundrobin', assignRoundRobin],
  ])('%s gives each partition to exactly one member that wants its topic', (_, assign) => {
    const topics = ['p', 'q', 'r'];
    const members = fc
      .uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 })
      .chain((ids) =>
        fc.tuple(
          ...ids.map((memberId) =>
            fc.record({ memberId: fc.constant(memberId), topics: fc.subarray(topics) }),
          ),
        ),
      );
    const counts = fc.array(fc.nat(9), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(members, counts, (subscriptions, sizes) => {
        const partitionCounts = new Map(topics.map((topic, index) => [topic, sizes[index] ?? 0]));
        const given = [...assign(subscriptions, partitionCounts)].flatMap(([memberId, mine]) =>
          [...mine].flatMap(([topic, partitions]) => {
            const member = subscriptions.find((one) => one.memberId === memberId);
            expect(member?.topics).toContain(topic);
            return partitions.map((partition) => `${topic}/${partition}`);
          }),
        );
        const wanted = [...partitionCounts].flatMap(([topic, size]) =>
          subscriptions.some((one) => one.topics.includes(topic))
            ? Array.from({ length: size }, (__, partition) => `${topic}/${partition}`)
            : [],
        );
        expect(given.sort()).toEqual(wanted.sort());
      }),
    );
  });
});

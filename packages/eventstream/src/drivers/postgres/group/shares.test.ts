import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shareChange } from './shares.js';

it('divides the shards exactly and evenly, and changes nothing that is divided already', () => {
  const scenario = fc.record({
    members: fc.integer({ min: 1, max: 9 }),
    owners: fc.array(fc.option(fc.integer({ min: 0, max: 11 })), { maxLength: 20 }),
  });
  fc.assert(
    fc.property(scenario, ({ members: count, owners }) => {
      const members = Array.from({ length: count }, (_, i) => `m${i}`);
      const shards = owners.map((owner, shard) => ({
        shard,
        owner: owner === null ? undefined : `m${owner % count}`,
      }));
      for (let round = 0; round < 3; round++) {
        for (const member of members) {
          const { acquire, release } = shareChange({ members, shards }, member);
          expect(Math.min(acquire, release)).toBe(0);
          const own = shards.filter(({ owner }) => owner === member).slice(0, release);
          const free = shards.filter(({ owner }) => owner === undefined).slice(0, acquire);
          expect(free).toHaveLength(acquire);
          for (const shard of own) shard.owner = undefined;
          for (const shard of free) shard.owner = member;
        }
      }
      const counts = members.map((member) => shards.filter(({ owner }) => owner === member).length);
      expect(counts.reduce((sum, n) => sum + n, 0)).toBe(shards.length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      for (const member of members) {
        expect(shareChange({ members, shards }, member)).toEqual({ acquire: 0, release: 0 });
      }
    }),
  );
});

it('gives no shards to a former member', () => {
  const shards = [{ shard: 1, owner: undefined }];
  expect(shareChange({ members: ['other'], shards }, 'gone')).toEqual({ acquire: 0, release: 0 });
});

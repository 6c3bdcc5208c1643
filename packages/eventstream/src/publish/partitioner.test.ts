import { describe, expect, it } from 'vitest';
import { createPartitioner, murmur2 } from './partitioner.js';

describe('murmur2', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('is for %s what the Java client computes', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });
});

describe('createPartitioner', () => {
  it('gives a key the partition that Java clients give it', () => {
    const partitionOf = createPartitioner('java');
    // (-790332482 & 0x7fffffff) % 5
    expect(partitionOf(Buffer.from('foobar'), 5)).toBe(1357151166 % 5);
    expect(partitionOf(Buffer.alloc(0), 1000)).toBe((murmur2(Buffer.alloc(0)) & 0x7fffffff) % 1000);
  });

  it('gives a key the partition that librdkafka gives it', () => {
    // CRC-32 of 123456789 is 0xcbf43926.
    expect(createPartitioner('librdkafka-crc32')(Buffer.from('123456789'), 1000)).toBe(
      0xcbf43926 % 1000,
    );
  });

  it('spreads records without a key, and with librdkafka those with an empty one', () => {
    for (const name of ['java', 'librdkafka-crc32', 'round-robin'] as const) {
      const partitionOf = createPartitioner(name);
      const key = name === 'librdkafka-crc32' ? Buffer.alloc(0) : null;
      expect(new Set([0, 1, 2].map(() => partitionOf(key, 3))).size).toBe(3);
    }
  });

  it('uses the partitions in turn, with any key', () => {
    const partitionOf = createPartitioner('round-robin');
    expect([0, 1, 2].map(() => partitionOf(Buffer.from('same'), 2))).toEqual([1, 0, 1]);
  });
});

import { crc32 } from 'node:zlib';

/**
 * Rule by which a key chooses its partition.
 * - `java`: murmur2, as in Kafka's Java client, kafka-go's `Murmur2Balancer` and librdkafka's
 *   `murmur2_random`.
 * - `librdkafka-crc32`: CRC-32, as in librdkafka's `consistent_random` and kafka-go's
 *   `CRC32Balancer`.
 * - `round-robin`: one partition after the other, whatever the key.
 *
 * All of them spread records without a key evenly; `librdkafka-crc32` also those with an empty one.
 */
export type PartitionerName = 'java' | 'librdkafka-crc32' | 'round-robin';

/** Returns the partition, from 0, of a record with this key. */
export type Partitioner = (key: Buffer | null, partitions: number) => number;

/**
 * Creates a partitioner for one topic. It remembers the partition of the last record without a key.
 */
export function createPartitioner(name: PartitionerName): Partitioner {
  let last = 0;
  const next = (partitions: number): number => {
    last = (last + 1) % partitions;
    return last;
  };
  switch (name) {
    case 'java':
      return (key, partitions) =>
        key === null ? next(partitions) : (murmur2(key) & 0x7fffffff) % partitions;
    case 'librdkafka-crc32':
      return (key, partitions) =>
        key === null || key.length === 0 ? next(partitions) : crc32(key) % partitions;
    case 'round-robin':
      return (_key, partitions) => next(partitions);
  }
}

const murmurSeed = 0x9747b28c;
const murmurMultiplier = 0x5bd1e995;

/** Computes murmur2 as Kafka's Java client does for keys: a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  const whole = length - (length % 4);
  let hash = murmurSeed ^ length;
  for (let at = 0; at < whole; at += 4) {
    const block = Math.imul(littleEndian(data, at, 4), murmurMultiplier);
    hash = Math.imul(hash, murmurMultiplier) ^ Math.imul(block ^ (block >>> 24), murmurMultiplier);
  }
  if (whole < length) {
    hash = Math.imul(hash ^ littleEndian(data, whole, length - whole), murmurMultiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), murmurMultiplier);
  return hash ^ (hash >>> 15);
}

function littleEndian(data: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let index = bytes - 1; index >= 0; index -= 1)
    value = (value << 8) | (data[at + index] ?? 0);
  return value;
}

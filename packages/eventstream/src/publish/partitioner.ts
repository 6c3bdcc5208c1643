import { crc32 } from 'node:zlib';
import { murmur2 } from './murmur2.js';

/**
 * How a key chooses its partition.
 * - `java`: murmur2, as Kafka's Java client, kafka-go's `Murmur2Balancer` and librdkafka's
 *   `murmur2_random` do.
 * - `librdkafka-crc32`: CRC-32, librdkafka's `consistent_random` and kafka-go's `CRC32Balancer`.
 * - `round-robin`: one after the other, whatever the key.
 *
 * All of them spread records without a key, and `librdkafka-crc32` those with an empty one.
 */
export type PartitionerName = 'java' | 'librdkafka-crc32' | 'round-robin';

/** The partition, from 0, of a record with this key. */
export type Partitioner = (key: Buffer | null, partitions: number) => number;

/** A partitioner for one topic: it remembers whose turn it is. */
export function createPartitioner(name: PartitionerName): Partitioner {
  let turn = 0;
  const next = (partitions: number): number => {
    turn = (turn + 1) % partitions;
    return turn;
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

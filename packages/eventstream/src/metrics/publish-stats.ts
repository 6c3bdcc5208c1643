import type { ErrorCode } from '@posthaste/contracts';
import type { PublishObserver, WrittenBatch } from '../publish/publish-observer.js';
import { Distribution } from './distribution.js';

const secondsBounds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 60];
const recordsBounds = [1, 5, 10, 50, 100, 250, 500];
const bytesBounds = [1_024, 4_096, 16_384, 65_536, 262_144, 524_288, 1_048_576];

/** Statistics of publishing to one topic. */
export class TopicStats {
  records = 0;
  bytes = 0;
  batches = 0;
  /** Failed tries, by code. */
  readonly failedWrites: Map<ErrorCode, number> = new Map();
  /** Events given up, by code. */
  readonly failedEvents: Map<ErrorCode, number> = new Map();
  readonly waitSeconds: Distribution = new Distribution(secondsBounds);
  readonly writeSeconds: Distribution = new Distribution(secondsBounds);
  readonly batchRecords: Distribution = new Distribution(recordsBounds);
  readonly batchBytes: Distribution = new Distribution(bytesBounds);
}

/** Observer that counts the reports of a publisher. */
export class PublishStats implements PublishObserver {
  /** By topic, as on the wire. */
  readonly topics: Map<string, TopicStats> = new Map();

  batchWritten({ topic, records, bytes, waitMs, writeMs }: WrittenBatch): void {
    const stats = this.#of(topic);
    stats.records += records;
    stats.bytes += bytes;
    stats.batches += 1;
    stats.waitSeconds.observe(waitMs / 1_000);
    stats.writeSeconds.observe(writeMs / 1_000);
    stats.batchRecords.observe(records);
    stats.batchBytes.observe(bytes);
  }

  writeFailed({ topic, code }: { topic: string; code: ErrorCode }): void {
    const { failedWrites } = this.#of(topic);
    failedWrites.set(code, (failedWrites.get(code) ?? 0) + 1);
  }

  eventFailed(topic: string, code: ErrorCode): void {
    const { failedEvents } = this.#of(topic);
    failedEvents.set(code, (failedEvents.get(code) ?? 0) + 1);
  }

  #of(topic: string): TopicStats {
    const stats = this.topics.get(topic) ?? new TopicStats();
    this.topics.set(topic, stats);
    return stats;
  }
}

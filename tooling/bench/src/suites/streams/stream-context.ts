import type { Bench } from '../../bench.js';
import type { StreamServer } from '../../stores/kafka.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import type { StreamTarget } from '../../streams/stream-task.js';
import type { StreamSizes } from './sizes.js';

/** Servers, contenders and sizes that every row of the event stream suite is measured with. */
export interface StreamContext {
  readonly bench: Bench;
  readonly sizes: StreamSizes;
  /** Our client on its drivers, then the bare clients. */
  readonly contenders: readonly StreamContender[];
}

/** Returns the target of a topic on Kafka. */
export function toTarget({ brokers }: StreamServer, topic: string): StreamTarget {
  return { topic, brokers, databaseUrl: '' };
}

import type { Bench } from '../bench.js';
import type { StreamServer } from '../stores/kafka.js';
import type { StreamContender } from './stream-contender.js';
import type { StreamSizes } from './stream-sizes.js';
import type { StreamPlace } from './stream-task.js';

/** What every row of the event stream suite is measured with. */
export interface MeasuredStreams {
  readonly bench: Bench;
  readonly sizes: StreamSizes;
  /** Ours on its drivers first, then the bare clients. */
  readonly contenders: readonly StreamContender[];
}

/** A topic on Kafka. */
export function toPlace({ brokers }: StreamServer, topic: string): StreamPlace {
  return { topic, brokers, databaseUrl: '' };
}

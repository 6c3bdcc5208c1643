import type { Bench } from '../../bench.js';
import type { StreamServer } from '../../stores/kafka.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import type { StreamPlace } from '../../streams/stream-task.js';
import type { StreamSizes } from './sizes.js';

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

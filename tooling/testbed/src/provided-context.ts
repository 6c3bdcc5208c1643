import type {} from 'vitest';
import type { KafkaSource } from './kafka/source.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The Postgres server of this test run; undefined when there is none. */
    postgresUrl: string | undefined;
    /** Where a test can get Kafka from; undefined when it cannot. */
    kafkaSource: KafkaSource['kind'] | undefined;
    /** Whether a test can start several brokers. */
    kafkaClusters: boolean;
  }
}

import type {} from 'vitest';
import type { KafkaSource } from './kafka/source.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the Postgres server of this test run; undefined if there is none. */
    postgresUrl: string | undefined;
    /** Source of Kafka for tests; undefined if there is none. */
    kafkaSource: KafkaSource['kind'] | undefined;
    /** URL at which `sharedKafka` asks for the brokers of this test run; undefined if there are none. */
    sharedKafkaUrl: string | undefined;
    /** True if this machine has PgBouncer, and a Postgres to put behind it. */
    pgBouncer: boolean;
    /** True if a test can start several brokers. */
    kafkaClusters: boolean;
  }
}

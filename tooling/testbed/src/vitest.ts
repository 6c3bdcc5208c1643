import { describe, inject, type SuiteAPI } from 'vitest';
import './provided-context.js';

type ConditionalDescribe = ReturnType<SuiteAPI['skipIf']>;

/** `describe` for tests on real Postgres, skipped if there is no server. */
export const describeWithPostgres: ConditionalDescribe = describe.skipIf(
  inject('postgresUrl') === undefined,
);

/** `describe` for tests through PgBouncer, skipped if it is not installed. */
export const describeWithPgBouncer: ConditionalDescribe = describe.skipIf(!inject('pgBouncer'));

/** `describe` for tests on real Kafka, skipped if none can be started. */
export const describeWithKafka: ConditionalDescribe = describe.skipIf(
  inject('kafkaSource') === undefined,
);

/** `describe` for tests on several brokers of Kafka, skipped if there is no Java to run them. */
export const describeWithKafkaCluster: ConditionalDescribe = describe.skipIf(
  !inject('kafkaClusters'),
);

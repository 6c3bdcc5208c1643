import type { TestProject } from 'vitest/node';
import { offerSharedKafka, type SharedKafkaOffer } from './kafka/shared-kafka.js';
import { findJavaKafka, findKafka, kafkaAdvice } from './kafka/source.js';
import { findPostgresBinaries, postgresAdvice } from './postgres/binaries.js';
import { findPgBouncer, pgBouncerAdvice } from './postgres/pgbouncer.js';
import { type PostgresServer, startPostgres } from './postgres/server.js';
import './provided-context.js';

type Project = Pick<TestProject, 'provide'>;

/** Global setup of all tests: starts one Postgres for the run, and offers one Kafka. Returns the teardown. */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const servers = await Promise.all([providePostgres(project), provideKafka(project)]);
  return async () => {
    await Promise.all(servers.map((server) => server?.close()));
  };
}

async function providePostgres(project: Project): Promise<PostgresServer | undefined> {
  const external = process.env.DATABASE_URL;
  const binaries = external ? undefined : await findPostgresBinaries();
  // No test crashes this server, so durability would only make it slower.
  const settings = { fsync: 'off', full_page_writes: 'off' };
  const server = binaries && (await startPostgres({ binaries, settings }));
  const url = external || server?.url;
  if (url === undefined) reportMissing('Postgres', postgresAdvice);
  project.provide('postgresUrl', url);
  await providePgBouncer(project);
  return server;
}

/** Looks for PgBouncer. No command of the repository installs it, so its absence is never an error. */
async function providePgBouncer(project: Project): Promise<void> {
  const found = (await findPgBouncer()) !== undefined;
  if (!found) warnMissing('PgBouncer', pgBouncerAdvice);
  project.provide('pgBouncer', found);
}

/** Finds the source of Kafka, and offers one broker, which the first test that needs it starts. */
async function provideKafka(project: Project): Promise<SharedKafkaOffer | undefined> {
  const source = await findKafka();
  if (!source) reportMissing('Kafka', kafkaAdvice);
  project.provide('kafkaSource', source?.kind);
  const clusters = (await findJavaKafka()) !== undefined;
  if (source && !clusters) reportMissing('several brokers of Kafka', 'install Java 17 or newer');
  project.provide('kafkaClusters', clusters);
  const offer = source && (await offerSharedKafka());
  project.provide('sharedKafkaUrl', offer?.url);
  return offer;
}

function reportMissing(what: string, advice: string): void {
  if (process.env.CI === 'true') throw new Error(`no ${what} for the tests: ${advice}`);
  warnMissing(what, advice);
}

function warnMissing(what: string, advice: string): void {
  console.warn(`Tests that need ${what} are skipped. To run them, ${advice}.`);
}

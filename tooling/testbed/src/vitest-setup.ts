import type { TestProject } from 'vitest/node';
import { offerSharedKafka, type SharedKafkaOffer } from './kafka/shared-kafka.js';
import { findJavaKafka, findKafka, kafkaAdvice } from './kafka/source.js';
import { findPostgresBinaries, postgresAdvice } from './postgres/binaries.js';
import { fetchPgBouncer, findPgBouncer, pgBouncerAdvice } from './postgres/pgbouncer-program.js';
import { type PostgresServer, startPostgres } from './postgres/server.js';
import './provided-context.js';

type Project = Pick<TestProject, 'provide'>;

/** Something that tests need and this machine does not have. */
interface Missing {
  readonly what: string;
  readonly advice: string;
}

/**
 * Global setup of all tests: starts one Postgres for the run, and offers one Kafka. Returns the
 * teardown.
 * @throws Error with CI=true, if a server is missing
 */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const missing: Missing[] = [];
  const [postgres, kafka] = await Promise.all([
    providePostgres(project, missing),
    provideKafka(project, missing),
    providePgBouncer(project, missing),
  ]);
  const close = async (): Promise<void> => {
    await Promise.all([postgres?.close(), kafka?.close()]);
  };
  if (missing.length > 0 && process.env.CI === 'true') {
    await close();
    throw new Error(
      missing.map(({ what, advice }) => `no ${what} for the tests: ${advice}`).join('; '),
    );
  }
  for (const { what, advice } of missing) {
    console.warn(`Tests that need ${what} are skipped. To run them, ${advice}.`);
  }
  return close;
}

async function providePostgres(
  project: Project,
  missing: Missing[],
): Promise<PostgresServer | undefined> {
  const external = process.env.DATABASE_URL;
  const binaries = external ? undefined : await findPostgresBinaries();
  // No test crashes this server, so durability would only make it slower.
  const settings = { fsync: 'off', full_page_writes: 'off' };
  const server = binaries && (await startPostgres({ binaries, settings }));
  const url = external || server?.url;
  if (url === undefined) missing.push({ what: 'Postgres', advice: postgresAdvice });
  project.provide('postgresUrl', url);
  return server;
}

/** Finds PgBouncer, or fetches it. */
async function providePgBouncer(project: Project, missing: Missing[]): Promise<void> {
  const program = (await findPgBouncer()) ?? (await fetchPgBouncer());
  if (!program) missing.push({ what: 'PgBouncer', advice: pgBouncerAdvice });
  project.provide('pgBouncer', program !== undefined);
}

/** Finds the source of Kafka, and offers one broker, which the first test that needs it starts. */
async function provideKafka(
  project: Project,
  missing: Missing[],
): Promise<SharedKafkaOffer | undefined> {
  const source = await findKafka();
  if (!source) missing.push({ what: 'Kafka', advice: kafkaAdvice });
  project.provide('kafkaSource', source?.kind);
  const clusters = (await findJavaKafka()) !== undefined;
  if (source && !clusters) {
    missing.push({ what: 'several brokers of Kafka', advice: 'install Java 17 or newer' });
  }
  project.provide('kafkaClusters', clusters);
  const offer = source && (await offerSharedKafka());
  project.provide('sharedKafkaUrl', offer?.url);
  return offer;
}

import type { TestProject } from 'vitest/node';
import { findPostgresBinaries, postgresAdvice } from './postgres-binaries.js';
import { startPostgres } from './postgres-server.js';
import './provided-context.js';

/** Global setup of all tests: one Postgres for the run. Returns its teardown. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const external = process.env.DATABASE_URL;
  if (external) return provide(project, external);
  const binaries = await findPostgresBinaries();
  if (!binaries) return missing(project);
  // Crashes of this one are nobody's test: durability would only make it slower.
  const settings = { fsync: 'off', full_page_writes: 'off' };
  const server = await startPostgres({ binaries, settings });
  project.provide('postgresUrl', server.url);
  return () => server.close();
}

async function provide(project: TestProject, url: string): Promise<() => Promise<void>> {
  project.provide('postgresUrl', url);
  return async () => undefined;
}

async function missing(project: TestProject): Promise<() => Promise<void>> {
  if (process.env.CI === 'true') throw new Error(`no Postgres server found: ${postgresAdvice}`);
  console.warn(`Tests that need Postgres are skipped. To run them, ${postgresAdvice}.`);
  project.provide('postgresUrl', undefined);
  return async () => undefined;
}

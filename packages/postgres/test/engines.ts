import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe } from 'vitest';
import { type Database, openEmbedded, openPostgres } from '../src/index.js';

/** The handle under test, which is opened in `beforeAll`. */
export interface Subject {
  readonly db: Database;
}

/** Runs the same tests on both engines, each on a new empty database. */
export function describeEngines(name: string, tests: (subject: Subject) => void): void {
  describe(`${name}, embedded`, () => {
    defineTests(async () => {
      const db = await openEmbedded();
      return { db, drop: () => db.close() };
    }, tests);
  });
  describeWithPostgres(`${name}, Postgres`, () => {
    defineTests(async () => {
      const database = await createTestDatabase();
      const db = await openPostgres({ url: database.url });
      return { db, drop: () => db.close().then(() => database.drop()) };
    }, tests);
  });
}

function defineTests(
  open: () => Promise<{ db: Database; drop(): Promise<void> }>,
  tests: (subject: Subject) => void,
): void {
  let opened: Awaited<ReturnType<typeof open>> | undefined;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened?.drop());
  tests({
    get db() {
      if (!opened) throw new Error('the database is not open yet');
      return opened.db;
    },
  });
}

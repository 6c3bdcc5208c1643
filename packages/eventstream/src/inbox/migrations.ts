import type { MigrationSet } from '@posthaste/postgres';

/**
 * Migrations of the inbox. It has a Postgres schema of its own, because it is in the consumer's
 * database, which need not be the database of the log.
 */
export const inboxMigrations: MigrationSet = {
  owner: 'inbox',
  migrations: [
    {
      version: 1,
      name: 'inbox',
      sql: `
create schema inbox;

create table inbox.handled (
  group_id text not null,
  event_id text not null,
  handled_at timestamptz not null default now(),
  primary key (group_id, event_id)
);
create index handled_handled_at on inbox.handled (handled_at);
`,
    },
  ],
};

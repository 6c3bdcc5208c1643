import type { MigrationSet } from '@posthaste/postgres';

/**
 * The inbox, in a Postgres schema of its own: it lies in the database of whoever consumes, which
 * need not be the one of the log.
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

import type { MigrationSet } from '@posthaste/postgres';

/**
 * Tables of the event log's claims and replays, in the Postgres schema `event_log`. Posthaste's
 * gateway owned them before, in its schema `gateway`:
 *
 * - A database that has the gateway's tables keeps them, with their rows: they are moved to the
 *   schema `event_log`, whatever their size, without being rewritten. Views stay under the old
 *   names, so that gateways of the version before can work until they are replaced. The views name
 *   the columns of today: they must be dropped before a column is changed or removed.
 * - Any other database gets new tables.
 *
 * `application` of a claim is '' for those of the version before; of a replay null: it replays the
 * letters of all applications. A replay that has an application is not due by `due_at`, by which
 * processes of the version before find replays: they would replay letters of other applications. It
 * is due by `turn_at`.
 *
 * `event_claim` has a row for each Idempotency-Key, and for each id that a publisher chose.
 * `dead_letter_replay` has the replays with their progress, `replayed_dead_letter` the dead letters
 * that were replayed.
 */
export const eventLogMigrations: MigrationSet = {
  owner: 'event-log',
  migrations: [
    {
      version: 1,
      name: 'claims and replays',
      sql: `
-- A wait for a long reader, such as a backup, would hold up every publisher: it fails instead, and
-- can be repeated.
set local lock_timeout = '5s';

create schema event_log;

do $$
declare
  granted record;
begin
  if to_regclass('gateway.event_claim') is not null then
    alter table gateway.event_claim set schema event_log;
    create view gateway.event_claim as select * from event_log.event_claim;
  else
    create table event_log.event_claim (
      kind text not null,
      topic text not null,
      claim text not null,
      body_hash bytea,
      event_id text not null,
      partition integer,
      "offset" bigint,
      created_at timestamptz not null default now(),
      primary key (kind, topic, claim)
    ) with (fillfactor = 70);
    create index event_claim_created_at on event_log.event_claim (created_at);
  end if;

  if to_regclass('gateway.dead_letter_replay') is not null then
    alter table gateway.dead_letter_replay set schema event_log;
    create view gateway.dead_letter_replay as select * from event_log.dead_letter_replay;
  else
    create table event_log.dead_letter_replay (
      id uuid primary key,
      topic text not null,
      filter json not null,
      rate_per_second integer not null,
      dry_run boolean not null,
      again boolean not null,
      state text not null default 'running',
      error text,
      position text,
      matched bigint not null default 0,
      replayed bigint not null default 0,
      skipped bigint not null default 0,
      read_until timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      due_at timestamptz not null default now()
    );
    create index dead_letter_replay_running on event_log.dead_letter_replay (due_at)
      where state = 'running';
  end if;

  if to_regclass('gateway.replayed_dead_letter') is not null then
    alter table gateway.replayed_dead_letter set schema event_log;
    create view gateway.replayed_dead_letter as select * from event_log.replayed_dead_letter;
  else
    create table event_log.replayed_dead_letter (
      topic text not null,
      partition integer not null,
      "offset" bigint not null,
      replayed_at timestamptz not null default now(),
      primary key (topic, partition, "offset")
    );
    create index replayed_dead_letter_replayed_at
      on event_log.replayed_dead_letter (replayed_at);
  end if;

  -- Roles that could use the gateway's tables can use them where they are now, and by their old names.
  for granted in
    select distinct a.grantee::regrole::text as role
    from pg_namespace n, aclexplode(n.nspacl) a
    where n.nspname = 'gateway' and a.privilege_type = 'USAGE' and a.grantee <> 0
  loop
    execute format('grant usage on schema event_log to %s', granted.role);
  end loop;
  for granted in
    select c.relname, a.privilege_type, a.grantee::regrole::text as role
    from pg_class c, aclexplode(c.relacl) a
    where c.relnamespace = 'event_log'::regnamespace and c.relkind = 'r' and a.grantee <> 0
      and a.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
      and to_regclass('gateway.' || c.relname) is not null
  loop
    execute format('grant %s on gateway.%I to %s',
      granted.privilege_type, granted.relname, granted.role);
  end loop;
end $$`,
    },
    {
      version: 2,
      name: 'applications',
      // As above, but tried again at once: neither column rewrites a row.
      sql: `
do $$
begin
  for attempt in 1 .. 60 loop
    begin
      set local lock_timeout = '250ms';
      alter table event_log.event_claim add column application text not null default '';
      alter table event_log.dead_letter_replay add column application text,
        add column with_unnamed boolean not null default false,
        add column turn_at timestamptz;
      exit;
    exception when lock_not_available then
      if attempt = 60 then raise; end if;
      perform pg_sleep(0.5);
    end;
  end loop;
end $$`,
    },
  ],
};

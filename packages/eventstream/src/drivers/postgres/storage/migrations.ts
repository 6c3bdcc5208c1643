import type { MigrationSet } from '@posthaste/postgres';
import { applicationFunctions } from './application-functions.js';
import { logFunctions } from './log-functions.js';

/**
 * Storage parameters of the partitions of `eventstream.record`. Their rows are never changed, and
 * removed only to erase them (event-log/erasing, which turns autovacuum on), they are dropped long before rows would have to be frozen, and every query uses their
 * one index. Autovacuum would only read all of it again and again.
 */
export const recordStorage: string = 'autovacuum_enabled = false, toast.autovacuum_enabled = false';

/**
 * Migrations of the log, in the Postgres schema `eventstream`.
 *
 * - `topic`, `shard`: a shard is one partition of one topic. Each has a sequence, `offset_<id>`,
 *   for its offsets: 0, 1, 2, …, with gaps where a transaction was rolled back.
 * - `record`: the append-only log, partitioned by time.
 * - `segment`: the partitions of `record`. Appenders write to the newest one. When it has lasted
 *   long enough, maintenance creates the next one. So a partition is a span of time that need not
 *   be created in advance, and setting the clock back changes nothing.
 * - `attach_point`: empty; makes transactions see partitions that were attached later
 *   (log-functions.ts).
 * - `segment_start`: records of a shard from `first_offset` on are in this segment or a later one.
 *   Readers use it to skip earlier segments.
 * - `record.application`: the application of a record; null for none. Records of before version 2,
 *   and those that processes of before append, have none.
 * - `topic_application`: the applications that have published to each topic (topic-access.ts).
 * - `consumer_group`, `group_offset`, `member`: groups by topic, the committed offset and the owner
 *   of each shard, and the members of each group.
 *
 * How far may be read, and why a reader never skips a record: log-functions.ts.
 */
export const eventstreamMigrations: MigrationSet = {
  owner: 'eventstream',
  migrations: [
    {
      version: 1,
      name: 'eventstream',
      sql: `
create schema eventstream;

create table eventstream.topic (
  id integer generated always as identity primary key,
  name text not null unique check (length(name) between 1 and 249),
  partitions integer not null check (partitions between 1 and 1024),
  created_at timestamptz not null default now()
);

create table eventstream.shard (
  id integer generated always as identity primary key,
  topic_id integer not null references eventstream.topic,
  partition integer not null,
  first_offset bigint not null default 0,
  unique (topic_id, partition)
);

create table eventstream.segment (
  id integer primary key,
  started_at timestamptz not null default now()
);
insert into eventstream.segment values (1);

create table eventstream.attach_point ();

create table eventstream.segment_start (
  shard_id integer not null references eventstream.shard,
  segment integer not null references eventstream.segment on delete cascade,
  first_offset bigint not null,
  primary key (shard_id, segment)
);
create index segment_start_segment on eventstream.segment_start (segment);

create table eventstream.record (
  segment integer not null,
  shard_id integer not null,
  "offset" bigint not null,
  appended_at timestamptz not null,
  name text,
  key bytea,
  value bytea,
  headers json
) partition by range (segment);
create index record_offset on eventstream.record (shard_id, "offset");
create table eventstream.record_1 partition of eventstream.record for values from (1) to (2)
  with (${recordStorage});

create table eventstream.consumer_group (
  id integer generated always as identity primary key,
  topic_id integer not null references eventstream.topic,
  name text not null,
  created_at timestamptz not null default now(),
  unique (topic_id, name)
);

create table eventstream.group_offset (
  group_id integer not null references eventstream.consumer_group on delete cascade,
  shard_id integer not null references eventstream.shard,
  "offset" bigint not null,
  committed_at timestamptz,
  owner uuid,
  epoch bigint not null default 0,
  primary key (group_id, shard_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

create table eventstream.member (
  id uuid primary key,
  group_id integer not null references eventstream.consumer_group on delete cascade,
  instance_id text,
  joined_at timestamptz not null default clock_timestamp(),
  leased_until timestamptz not null,
  unique (group_id, instance_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
${logFunctions}`,
    },
    {
      version: 2,
      name: 'applications',
      // The column needs a moment in which nobody else uses the table, and no time: no row is
      // rewritten. All other statements queue behind the wait for that moment, so it is short, and
      // repeated.
      sql: `
do $$
begin
  for attempt in 1 .. 60 loop
    begin
      set local lock_timeout = '250ms';
      -- First: publishers lock topics, if they create some, before records.
      create table eventstream.topic_application (
        application text not null,
        topic_id integer not null references eventstream.topic,
        primary key (application, topic_id)
      );
      alter table eventstream.record add column application text;
      exit;
    exception when lock_not_available then
      if attempt = 60 then raise; end if;
      perform pg_sleep(0.5);
    end;
  end loop;
end $$;

-- Roles that can append can also store which application has appended.
do $$
declare
  granted record;
begin
  for granted in
    select distinct a.privilege_type, a.grantee::regrole::text as role
    from pg_class c, aclexplode(c.relacl) a
    where c.oid = 'eventstream.record'::regclass and a.grantee <> 0 and a.grantee <> c.relowner
      and a.privilege_type in ('SELECT', 'INSERT')
  loop
    execute format('grant %s on eventstream.topic_application to %s',
      granted.privilege_type, granted.role);
  end loop;
end $$;
${applicationFunctions}`,
    },
  ],
};

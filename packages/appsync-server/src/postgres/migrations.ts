import type { MigrationSet } from '@posthaste/postgres';

/**
 * Tables of realtime, in the Postgres schema `realtime`.
 *
 * - `namespace`: namespaces of applications, and those that all share (application null).
 * - `meta`: one row: id of the log that positions belong to, and the number of changes of namespaces.
 *   Whoever changes a namespace updates the row first, so that changes are in order.
 * - `node`: gateways that have members of channels, each with a lease.
 * - `member`: members of channels, by the node that they are connected to.
 * - `channel`: subscribers of channels, by the node that they are connected to.
 * - `channel_node`: nodes that have reported subscribers, each with a lease. After a crash of the
 *   database, these two are empty, and the nodes report again.
 */
export const realtimeMigrations: MigrationSet = {
  owner: 'realtime',
  migrations: [
    {
      version: 1,
      name: 'realtime',
      sql: `
create schema realtime;

create table realtime.namespace (
  application text,
  name text not null,
  settings json not null,
  revision bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index namespace_shared on realtime.namespace (name) where application is null;
create unique index namespace_own on realtime.namespace (application, name)
  where application is not null;
create index namespace_name on realtime.namespace (name);
insert into realtime.namespace (application, name, settings, revision)
  values (null, 'default', '{}', 1);

create table realtime.meta (
  singleton boolean primary key default true check (singleton),
  epoch uuid not null,
  revision bigint not null
);
insert into realtime.meta (epoch, revision) values (gen_random_uuid(), 1);

create table realtime.node (
  id uuid primary key,
  expires_at timestamptz not null
);

create table realtime.member (
  application text not null,
  channel text not null,
  member text not null,
  node_id uuid not null,
  data json not null,
  joined_at timestamptz not null default now(),
  primary key (application, channel, member, node_id)
);
create index member_node on realtime.member (node_id)`,
    },
    {
      version: 2,
      name: 'subscribers of channels',
      sql: `
create unlogged table realtime.channel_node (
  id uuid primary key,
  expires_at timestamptz not null
);
create unlogged table realtime.channel (
  application text not null,
  channel text collate "C" not null,
  node_id uuid not null references realtime.channel_node (id) on delete cascade,
  subscribers integer not null,
  primary key (application, channel, node_id)
);
create index channel_by_node on realtime.channel (node_id)`,
    },
  ],
};

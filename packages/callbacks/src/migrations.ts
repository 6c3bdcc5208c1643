import type { MigrationSet } from '@posthaste/postgres';

/**
 * Tables of callbacks, in the Postgres schema `callbacks`.
 *
 * - `request`: callbacks as they were accepted; written once, never changed. Partitioned by id, and
 *   so by time.
 * - `head`: one row for each callback that may be next: every callback without a queue, and the
 *   first one of every ordered queue. The only table that workers claim from.
 * - `waiting`: callbacks behind a head in an ordered queue. Not read until the head moves on.
 * - `history`: append-only; one row for each lease, with the attempt made under it and, in the last
 *   one, the ending of the callback. Partitioned like `request`; dropped with it.
 *
 * Invariant: a queue has a head as long as anything of it waits. A transaction that adds to
 * `waiting` or removes a head holds the lock on the head's row (intake-store.ts, result-store.ts).
 */
export const callbacksMigrations: MigrationSet = {
  owner: 'callbacks',
  migrations: [
    {
      version: 1,
      name: 'callbacks',
      sql: `
create schema callbacks;

create table callbacks.request (
  id uuid primary key,
  application text not null,
  queue text,
  endpoint_id uuid,
  url text not null,
  method text not null,
  headers json,
  body bytea,
  policy json not null,
  timeout_ms integer not null,
  secret text,
  notification_email text,
  expires_at timestamptz,
  created_at timestamptz not null default now()
) partition by range (id);
create index request_application on callbacks.request (application, id);
create index request_queue on callbacks.request (application, queue, id) where queue is not null;
create index request_endpoint on callbacks.request (endpoint_id, id) where endpoint_id is not null;
create table callbacks.request_default partition of callbacks.request default;

create table callbacks.history (
  callback_id uuid not null,
  step integer not null,
  machine text,
  leased_at timestamptz,
  leased_until timestamptz,
  completed_at timestamptz,
  started_at timestamptz,
  duration_ns bigint,
  status_code integer,
  reason text,
  detail text,
  response_headers json,
  response_body bytea,
  truncated boolean not null default false,
  cut boolean not null default false,
  resent boolean not null default false,
  ending text check (ending in ('delivered', 'failed', 'expired', 'cancelled')),
  recorded_at timestamptz not null default now(),
  primary key (callback_id, step)
) partition by range (callback_id);
create index history_not_delivered on callbacks.history (ending, callback_id)
  where ending is not null and ending <> 'delivered';
create table callbacks.history_default partition of callbacks.history default;

create table callbacks.head (
  callback_id uuid primary key,
  application text not null,
  queue text,
  endpoint_id uuid,
  lane text collate "C" not null,
  ready boolean not null,
  retry boolean not null default false,
  due_at timestamptz not null,
  hold text check (hold in ('paused', 'parked', 'endpoint')),
  failures integer not null default 0,
  unknowns integer not null default 0,
  step integer not null default 0,
  cancelled boolean not null default false,
  lease_token uuid,
  lease_holder text,
  leased_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);
create unique index head_queue on callbacks.head (application, queue) where queue is not null;
create index head_ready on callbacks.head (lane, retry, due_at) where ready;
create index head_due on callbacks.head (due_at) where not ready and hold is null;
create index head_endpoint_held on callbacks.head (endpoint_id) where hold = 'endpoint';
create index head_held on callbacks.head (hold, application, queue)
  where hold is not null and queue is not null;

create table callbacks.waiting (
  application text not null,
  queue text not null,
  seq bigint generated always as identity,
  callback_id uuid not null,
  endpoint_id uuid,
  lane text collate "C" not null,
  due_at timestamptz not null,
  step integer not null default 0,
  primary key (application, queue, seq)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);
create unique index waiting_callback on callbacks.waiting (callback_id);

create table callbacks.queue (
  application text not null,
  queue text not null,
  on_failure text not null default 'skip' check (on_failure in ('skip', 'park')),
  paused boolean not null default false,
  updated_at timestamptz not null default now(),
  primary key (application, queue)
);
create index queue_paused on callbacks.queue (application, queue) where paused;

create table callbacks.idempotency (
  application text not null,
  key text not null,
  body_hash bytea not null,
  callback_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (application, key)
);
create index idempotency_created_at on callbacks.idempotency (created_at);

create table callbacks.policy (
  name text primary key,
  policy json not null,
  updated_at timestamptz not null default now()
);

create table callbacks.secret (
  application text not null,
  name text not null,
  version integer not null,
  kind text not null check (kind in ('hmac', 'ed25519')),
  public_key text,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  primary key (application, name, version)
);

create table callbacks.endpoint (
  id uuid primary key,
  application text not null,
  name text not null,
  url text not null,
  headers json not null,
  policy json,
  policy_name text references callbacks.policy,
  timeout_ms integer not null,
  rate_limit_per_second double precision,
  max_concurrency integer,
  order_key text,
  notification_email text,
  state text not null default 'active' check (state in ('active', 'paused', 'disabled')),
  state_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (application, name),
  check (num_nonnulls(policy, policy_name) = 1)
);
create index endpoint_policy_name on callbacks.endpoint (policy_name) where policy_name is not null;

create table callbacks.subscription (
  id uuid primary key,
  endpoint_id uuid not null references callbacks.endpoint on delete cascade,
  event_name text not null,
  namespace text,
  filter json,
  created_at timestamptz not null default now()
);
create index subscription_endpoint on callbacks.subscription (endpoint_id);

-- Counts the changes of what events are matched with, so that a copy of it in memory can be known
-- to be the present one (subscription-list.ts). A trigger, so that no writer can forget.
create table callbacks.subscription_generation (
  generation bigint not null
);
insert into callbacks.subscription_generation values (0);
create function callbacks.next_subscription_generation() returns trigger language plpgsql as $$
begin
  update callbacks.subscription_generation set generation = generation + 1;
  return null;
end $$;
create trigger next_generation after insert or update or delete on callbacks.subscription
  for each statement execute function callbacks.next_subscription_generation();
create trigger next_generation
  after update of application, url, policy, policy_name, timeout_ms, order_key, notification_email
  on callbacks.endpoint
  for each statement execute function callbacks.next_subscription_generation();
create trigger next_generation after update on callbacks.policy
  for each statement execute function callbacks.next_subscription_generation();

create table callbacks.replay (
  id uuid primary key,
  filter json not null,
  rate_per_second integer not null,
  state text not null default 'running' check (state in ('running', 'done', 'cancelled')),
  position uuid,
  scanned bigint not null default 0,
  replayed bigint not null default 0,
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index replay_running on callbacks.replay (due_at) where state = 'running';

create table callbacks.mail (
  id uuid primary key,
  recipient text not null,
  subject text not null,
  body text not null,
  attempts integer not null default 0,
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create index mail_due_at on callbacks.mail (due_at);
`,
    },
    {
      version: 2,
      name: 'echo of callbacks',
      // Distance of a callback from one that was not made for an event about callbacks:
      // loop-guard.ts.
      sql: 'alter table callbacks.request add column echo smallint not null default 0',
    },
    {
      version: 3,
      name: 'event format of endpoints',
      // A gateway of the version before does not write the column: it keeps the default, or its value.
      sql: `
alter table callbacks.endpoint add column event_format text not null default 'envelope'
  check (event_format in ('envelope', 'cloudevents-structured', 'cloudevents-binary'));

-- As before, for changes of this column too.
drop trigger next_generation on callbacks.endpoint;
create trigger next_generation
  after update of application, url, policy, policy_name, timeout_ms, order_key, notification_email,
    event_format
  on callbacks.endpoint
  for each statement execute function callbacks.next_subscription_generation();
`,
    },
  ],
};

import type { MigrationSet } from '@posthaste/postgres';

/**
 * Tables of callbacks, in the Postgres schema `callbacks`.
 *
 * - `request`: callbacks as they were accepted; written once, and changed only to erase the payload.
 *   Partitioned by id, and so by time.
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
    {
      version: 4,
      name: 'applications of policies and replays',
      // A gateway of the version before knows neither the table nor the new column, and goes on: a
      // trigger drops the name of an application's policy from an endpoint that such a gateway gives
      // another policy.
      sql: `
-- Not a column: statements of such a gateway that are prepared with \`returning *\` would fail once.
create index replay_application on callbacks.replay ((filter ->> 'application'), id);

create table callbacks.application_policy (
  application text not null,
  name text not null,
  policy json not null,
  updated_at timestamptz not null default now(),
  primary key (application, name)
);
create index application_policy_name on callbacks.application_policy (name, application);

-- While it is set, \`policy\` has a copy of the policy for workers of the version before.
alter table callbacks.endpoint
  add column own_policy_name text,
  add foreign key (application, own_policy_name) references callbacks.application_policy;
create index endpoint_own_policy on callbacks.endpoint (application, own_policy_name)
  where own_policy_name is not null;
create index endpoint_application on callbacks.endpoint (application, id);
create index subscription_of_endpoint on callbacks.subscription (endpoint_id, id);
drop index callbacks.subscription_endpoint;

create function callbacks.forget_own_policy() returns trigger language plpgsql as $$
begin
  new.own_policy_name := null;
  return new;
end $$;
create trigger forget_own_policy before update of policy, policy_name on callbacks.endpoint
  for each row when (
    new.own_policy_name = old.own_policy_name
    and (new.policy_name is not null or new.policy::jsonb is distinct from old.policy::jsonb)
  )
  execute function callbacks.forget_own_policy();

-- As before, for changes of the policies of applications too.
create trigger next_generation after update on callbacks.application_policy
  for each statement execute function callbacks.next_subscription_generation();
drop trigger next_generation on callbacks.endpoint;
create trigger next_generation
  after update of application, url, policy, policy_name, own_policy_name, timeout_ms, order_key,
    notification_email, event_format
  on callbacks.endpoint
  for each statement execute function callbacks.next_subscription_generation();
`,
    },
    {
      version: 5,
      name: 'recipients of mails',
      // Addresses of endpoints were all named by keys for all applications, which need no
      // confirmation: they go on getting mails. Those of callbacks are not looked through: a caller
      // for all applications confirms them when it names them again.
      //
      // A worker of the version before writes mails without an application, which are sent as they
      // are, and does not see those of this version until they are due: `infinity` keeps a mail
      // that is new or held from it. The new columns do not rewrite the table.
      sql: `
create table callbacks.mail_recipient (
  id uuid primary key,
  application text not null,
  address text not null,
  mailbox text not null,
  state text not null check (state in ('pending', 'confirmed', 'refused')),
  decided_by text check (decided_by in ('migration', 'caller', 'recipient', 'operator')),
  decided_at timestamptz,
  confirm_token_hash bytea,
  refuse_token text not null
    default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
  confirmation_due_at timestamptz,
  confirmations integer not null default 0,
  confirmation_sent_at timestamptz,
  window_started_at timestamptz,
  window_mails integer not null default 0,
  suppressed bigint not null default 0,
  dropped bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (application, address)
);
create index mail_recipient_mailbox on callbacks.mail_recipient (mailbox);
create unique index mail_recipient_confirm_token on callbacks.mail_recipient (confirm_token_hash)
  where confirm_token_hash is not null;
create unique index mail_recipient_refuse_token on callbacks.mail_recipient (refuse_token);
create index mail_recipient_pending on callbacks.mail_recipient (application, updated_at)
  where state = 'pending';
create index mail_recipient_confirmation_due on callbacks.mail_recipient (confirmation_due_at)
  where confirmation_due_at is not null;
create index mail_recipient_confirmation_sent
  on callbacks.mail_recipient (application, confirmation_sent_at)
  where confirmation_sent_at is not null;
create index mail_recipient_suppressed on callbacks.mail_recipient (window_started_at)
  where suppressed > 0 and state = 'confirmed';

insert into callbacks.mail_recipient
  (id, application, address, mailbox, state, decided_by, decided_at)
select distinct on (application, address)
  gen_random_uuid(), application, address,
  lower(coalesce(substring(address from '^([^+@]+)'), split_part(address, '@', 1)))
    || '@' || split_part(address, '@', 2),
  'confirmed', 'migration', now()
from (
  select application,
    split_part(notification_email, '@', 1) || '@' || lower(split_part(notification_email, '@', 2))
      as address
  from callbacks.endpoint where notification_email like '%_@_%'
) e
order by application, address;

alter table callbacks.mail
  add column application text,
  add column kind text,
  add column notices integer not null default 1,
  add column stage text not null default 'due' check (stage in ('new', 'held', 'due'));
create index mail_new on callbacks.mail (id) where stage = 'new';
create index mail_held on callbacks.mail (created_at) where stage = 'held';
create index mail_of_recipient on callbacks.mail (application, recipient);
`,
    },
    {
      version: 6,
      name: 'erasing and removal',
      // A worker of the version before claims for applications that are being removed, until it is
      // replaced. It would also send an erased callback that somebody replays.
      sql: `
-- Applications of which nothing is sent, because they are being removed (delivery-stop.ts).
create table callbacks.stopped_application (
  application text primary key,
  stopped_at timestamptz not null default now()
);
-- Set when the payload was erased (payload-erasing.ts).
alter table callbacks.request add column erased_at timestamptz;
`,
    },
    {
      version: 7,
      name: 'faults of filters',
      // A trigger removes a fault, so that gateways of the version before do too. A fault changes
      // nothing that events are matched with, so it does not count as a change of subscriptions.
      sql: `
alter table callbacks.subscription add column fault json;

create function callbacks.clear_filter_fault() returns trigger language plpgsql as $$
begin
  new.fault := null;
  return new;
end $$;
create trigger clear_fault before update of event_name, namespace, filter
  on callbacks.subscription
  for each row execute function callbacks.clear_filter_fault();

drop trigger next_generation on callbacks.subscription;
create trigger next_generation
  after insert or delete or update of endpoint_id, event_name, namespace, filter
  on callbacks.subscription
  for each statement execute function callbacks.next_subscription_generation();
`,
    },
  ],
};

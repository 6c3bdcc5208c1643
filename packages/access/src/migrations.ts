import type { MigrationSet } from '@posthaste/postgres';

/**
 * Tables of applications, API keys, people and the audit log, in the Postgres schema `gateway`, whose
 * name is older than this package. Those of versions 2 and 3 have moved: `eventLogMigrations` of
 * `@posthaste/eventstream/event-log`, which come after these, move them to the schema `event_log`.
 */
export const accessMigrations: MigrationSet = {
  owner: 'gateway',
  migrations: [
    {
      version: 1,
      name: 'api keys',
      sql: `
        create schema gateway;
        create table gateway.api_key (
          id uuid primary key,
          name text not null,
          secret_hash bytea not null,
          scopes text[] not null,
          created_at timestamptz not null default now(),
          expires_at timestamptz,
          revoked_at timestamptz,
          last_used_at timestamptz
        )`,
    },
    {
      version: 2,
      name: 'claims of published events',
      sql: `
        create table gateway.event_claim (
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
        create index event_claim_created_at on gateway.event_claim (created_at)`,
    },
    {
      version: 3,
      name: 'replays of dead letters',
      sql: `
        create table gateway.dead_letter_replay (
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
        create index dead_letter_replay_running on gateway.dead_letter_replay (due_at)
          where state = 'running';

        create table gateway.replayed_dead_letter (
          topic text not null,
          partition integer not null,
          "offset" bigint not null,
          replayed_at timestamptz not null default now(),
          primary key (topic, partition, "offset")
        );
        create index replayed_dead_letter_replayed_at
          on gateway.replayed_dead_letter (replayed_at)`,
    },
    {
      version: 4,
      name: 'applications',
      // A gateway of the version before ignores the column: to it, every key is one for all.
      sql: `
        create table gateway.application (
          name text primary key,
          state text not null default 'active' check (state in ('active', 'deleting')),
          limits json not null default '{}',
          retention_ms bigint,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        );
        create index application_deleting on gateway.application (name) where state = 'deleting';
        -- Registration of the names that existed before, per table of another package.
        create table gateway.name_discovery (
          source text primary key,
          last_name text,
          finished_at timestamptz
        );
        -- Null: a key for all applications.
        alter table gateway.api_key add column applications text[]`,
    },
    {
      version: 5,
      name: 'audit log',
      sql: `
        create table gateway.audit (
          id uuid primary key,
          time timestamptz not null,
          application text,
          actor_kind text not null,
          actor_id text not null,
          actor_name text not null,
          action text not null,
          target_kind text not null,
          target_id text not null,
          target_name text not null,
          before json,
          after json,
          changed text[] not null,
          client_address text,
          user_agent text,
          request_id text,
          note text
        );
        create index audit_application on gateway.audit (application, id);

        -- The lowest UUIDv7 of a moment, with its microseconds: ids ascend with time.
        create function gateway.audit_id_floor(moment timestamptz) returns uuid
        language sql stable strict as $$
          select (
            substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7' || lpad(to_hex(part), 3, '0')
            || '-0000-000000000000'
          )::uuid
          from (
            select lpad(to_hex(floor(ms)::bigint), 12, '0') as hex,
              floor((ms - floor(ms)) * 4096)::integer as part
            from (select extract(epoch from moment) * 1000 as ms) m
          ) h
        $$;

        create function gateway.audit_id(moment timestamptz) returns uuid
        language sql volatile strict as $$
          select (left(gateway.audit_id_floor(moment)::text, 19)
            || substr(gen_random_uuid()::text, 20))::uuid
        $$;

        -- Retention says in a setting of its transaction how long entries are kept.
        create function gateway.keep_audit() returns trigger language plpgsql as $$
        declare
          kept_ms float8 := nullif(current_setting('posthaste.audit_retention_ms', true), '')::float8;
        begin
          if tg_op = 'DELETE' and kept_ms >= 3600000 then
            if old.time < now() - kept_ms * interval '1 ms' then
              return old;
            end if;
          end if;
          raise exception 'gateway.audit is append-only: % is refused', lower(tg_op)
            using errcode = 'insufficient_privilege';
        end
        $$;
        create trigger audit_append_only before update or delete on gateway.audit
          for each row execute function gateway.keep_audit();
        create trigger audit_no_truncate before truncate on gateway.audit
          for each statement execute function gateway.keep_audit()`,
    },
    {
      version: 6,
      name: 'sessions and tokens',
      sql: `
        create table gateway.session (
          id uuid primary key,
          secret_hash bytea not null,
          -- Once only: an answer of the identity provider makes one session.
          sign_in_id uuid unique,
          -- Null: the session of an API key, whose id is the subject.
          issuer text,
          subject text not null,
          api_key_id uuid references gateway.api_key (id) on delete cascade,
          name text not null,
          email text,
          grants json not null,
          created_at timestamptz not null default now(),
          last_used_at timestamptz not null default now(),
          expires_at timestamptz not null,
          revoked_at timestamptz
        );
        create index session_owner on gateway.session (subject, id);
        create index session_expires_at on gateway.session (expires_at);

        -- Short-lived tokens are not stored; those that were revoked one by one are.
        create table gateway.revoked_token (
          id uuid not null,
          parent_id text not null,
          expires_at timestamptz not null,
          primary key (parent_id, id)
        );
        create index revoked_token_expires_at on gateway.revoked_token (expires_at)`,
    },
    {
      version: 7,
      name: 'erasures',
      sql: `
-- Removals of applications, and erasures of payloads: their progress, and the record that they were
-- done. "selection" has identifiers in clear, and is null when the work is done; "target" has hashes.
create table gateway.erasure (
  id uuid primary key,
  kind text not null check (kind in ('application', 'payloads')),
  -- Null: all.
  applications text[],
  target json not null,
  selection json,
  state text not null default 'running' check (state in ('running', 'done')),
  stage text not null default '',
  position text,
  scanned bigint not null default 0,
  erased bigint not null default 0,
  kept bigint not null default 0,
  error text,
  requested_by text not null,
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz
);
create index erasure_running on gateway.erasure (due_at) where state = 'running';
create unique index erasure_of_application on gateway.erasure ((applications[1]))
  where kind = 'application' and state = 'running';
create index application_retention on gateway.application (name) where retention_ms is not null`,
    },
    {
      version: 8,
      name: 'usage of applications',
      sql: `
create index application_updated_at on gateway.application (updated_at);

-- Amounts that limits are about, as workers measure them. Applications with none have no row.
create table gateway.application_usage (
  application text primary key,
  backlog bigint not null default 0,
  endpoints bigint not null default 0,
  stored_bytes bigint not null default 0,
  measured_at timestamptz not null default now()
) with (fillfactor = 50);

-- When each amount was measured last: of several workers, one measures.
create table gateway.usage_measurement (
  name text primary key,
  measured_at timestamptz not null default '-infinity'
);
insert into gateway.usage_measurement (name) values ('backlog'), ('endpoints'), ('storedBytes')`,
    },
    {
      version: 9,
      name: 'ends of tokens of removed applications',
      sql: `
-- Short-lived tokens are not stored. Those made before this moment lose the application, whose name
-- may be another's by then. Kept for the longest life of a token.
create table gateway.removed_application (
  name text primary key,
  removed_at timestamptz not null
)`,
    },
    {
      version: 10,
      name: 'channels of keys',
      sql: `
-- Realtime channels that a key may use: paths and patterns; null is all.
alter table gateway.api_key add column channels text[]`,
    },
  ],
};

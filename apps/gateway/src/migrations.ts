import type { MigrationSet } from '@posthaste/postgres';

/** The tables that the gateway owns. */
export const gatewayMigrations: MigrationSet = {
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
  ],
};

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
  ],
};

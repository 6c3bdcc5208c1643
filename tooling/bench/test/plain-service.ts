import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { CallbackService, Seed } from '../src/contender.js';
import { startProcess } from '../src/service-process.js';

const script = fileURLToPath(new URL('plain-service-process.ts', import.meta.url));

/** A service that delivers one callback after another, from a table without any index. */
export const plainService: CallbackService = {
  name: 'plain',
  store: 'postgres',
  settings: { inFlight: 1 },
  prepare: (url) =>
    run(
      url,
      `create table callback (
        id bigint generated always as identity, url text not null,
        headers jsonb not null default '{}', state text not null default 'due')`,
    ),
  seed: (url, seed) =>
    run(
      url,
      `insert into callback (url, state)
      select $2::text || $3::text || case when $4::int > 0 then (n % $4::int) || '/' || (n / $4::int) else '' end, $5::text
      from generate_series(0, $1::int - 1) n order by n`,
      seedValues(seed),
    ),
  startWorker: (url) => startProcess(script, ['worker', url]),
  async startGateway(url) {
    const { ready, ...process } = await startProcess<{ callbackUrl: string }>(script, [
      'gateway',
      url,
    ]);
    return { ...process, callbackUrl: ready.callbackUrl };
  },
};

function seedValues(seed: Seed): unknown[] {
  const isOrdered = seed.kind === 'ordered';
  const state = seed.kind === 'ready' || isOrdered ? 'due' : seed.kind;
  return [seed.count, seed.url, isOrdered ? 'ordered/' : '', isOrdered ? seed.queues : 0, state];
}

async function run(url: string, sql: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql, values);
  } finally {
    await client.end();
  }
}

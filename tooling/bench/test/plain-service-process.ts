/**
 * Program: a callback service that is too simple for real use, for the tests of the benchmark:
 * `plain-service-process.ts worker|gateway <database url>`.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { fastify } from 'fastify';
import pg from 'pg';
import { request } from 'undici';

interface CallbackRequest {
  readonly url: string;
  readonly postdata: { readonly headers: Record<string, string>; readonly data: string };
}

const [role, databaseUrl] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: databaseUrl });
process.once('SIGTERM', () => process.exit());
process.once('disconnect', () => process.exit());
process.send?.(role === 'gateway' ? await serve() : 'ready');
if (role === 'worker') await work();

async function serve(): Promise<{ callbackUrl: string }> {
  const app = fastify();
  app.post<{ Body: CallbackRequest }>('/callback', async ({ body }, reply) => {
    const values = [body.url, body.postdata.headers];
    await pool.query('insert into callback (url, headers) values ($1, $2)', values);
    return reply.code(201).send({});
  });
  return { callbackUrl: `${await app.listen({ host: '127.0.0.1', port: 0 })}/callback` };
}

/** Delivers everything that is due, one callback after another, in an endless loop. */
async function work(): Promise<never> {
  for (;;) {
    const due = await pool.query<{ id: string; url: string; headers: Record<string, string> }>(
      "delete from callback where state = 'due' returning id, url, headers",
    );
    // Deleted rows are returned in any order; ids are in the order of acceptance.
    for (const { url, headers } of due.rows.sort((a, b) => Number(a.id) - Number(b.id))) {
      const { body } = await request(url, { method: 'POST', headers, body: 'x'.repeat(1024) });
      await body.dump();
    }
    await sleep(1);
  }
}

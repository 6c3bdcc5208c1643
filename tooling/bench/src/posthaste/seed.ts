import { type CallbackRequest, Intake, type IntakeItem } from '@posthaste/callbacks';
import { newId } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { callbackBody } from '../callback-request.js';
import type { Seed } from '../contender.js';

const body = Buffer.from(callbackBody);
const batch = 250;
const timeoutMs = 15_000;

/** Writes a seed to the database. Callbacks that are delivered go through the intake of the package. */
export async function seedCallbacks(db: Database, seed: Seed): Promise<void> {
  switch (seed.kind) {
    case 'ready':
      return await accept(db, seed.count, () => ({ url: seed.url, queue: undefined }));
    case 'ordered':
      return await accept(db, seed.count, (i) => {
        const queue = i % seed.queues;
        const sequence = Math.floor(i / seed.queues);
        return { url: `${seed.url}ordered/${queue}/${sequence}`, queue: `q${queue}` };
      });
    case 'blocked':
      await accept(db, seed.count, (i) => ({ url: seed.url, queue: `blocked${i % seed.queues}` }));
      await db.query(
        `update callbacks.head set ready = false, retry = true, failures = 1, step = 1,
           due_at = now() + interval '1 hour'
         where queue like 'blocked%'`,
      );
      break;
    case 'finished':
      await insertFinished(db, seed.count, seed.url);
  }
  await db.query('analyze');
}

async function accept(
  db: Database,
  count: number,
  destination: (index: number) => { url: string; queue: string | undefined },
): Promise<void> {
  const intake = new Intake(db);
  for (let start = 0; start < count; start += batch) {
    const items = Array.from({ length: Math.min(batch, count - start) }, (_, i): IntakeItem => {
      const { url, queue } = destination(start + i);
      return { id: newId(), request: toRequest(url, queue), idempotency: undefined };
    });
    await intake.addAll(items);
  }
  await intake.close();
}

function toRequest(url: string, queue: string | undefined): CallbackRequest {
  return {
    application: 'bench',
    queue,
    endpointId: undefined,
    url,
    origin: new URL(url).origin,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    policy: { kind: 'phases', phases: [{ retries: 5, delayNs: 1_000_000_000n }] },
    timeoutMs,
    secret: undefined,
    notificationEmail: undefined,
    expiresAt: undefined,
    deliverAfter: undefined,
    echo: 0,
  };
}

/**
 * Inserts finished callbacks as intake and worker store them, with ids of today. A million through the
 * intake would take minutes.
 */
async function insertFinished(db: Database, count: number, url: string): Promise<void> {
  await db.query(
    `insert into callbacks.request (id, application, url, method, headers, body, policy, timeout_ms)
     select (lpad(to_hex((extract(epoch from now()) * 1000)::bigint - $1 + n), 12, '0') || '7000'
         || '8' || substr(md5(n::text), 1, 15))::uuid,
       'bench', $2, 'POST', '{"content-type":"application/json"}', $3,
       '{"kind":"phases","phases":[[5,"1000000000"]]}', ${timeoutMs}
     from generate_series(1, $1::bigint) n`,
    [count, url, body],
  );
  await db.query(
    `insert into callbacks.history (callback_id, step, machine, leased_at, leased_until,
       completed_at, started_at, duration_ns, status_code, response_headers, response_body, ending)
     select id, 1, 'bench:1', now(), now(), now(), now(), 1000000, 200,
       '[["content-length","2"]]', 'ok', 'delivered'
     from callbacks.request where id not in (select callback_id from callbacks.head)
       and queue is null`,
  );
}

/** Row about the postgres stream. */

import { randomUUID } from 'node:crypto';
import { eventstreamMigrations, PostgresLog } from '@posthaste/eventstream';
import { migrate, openPostgres } from '@posthaste/postgres';
import { treeCpuSeconds } from '../../process-usage.js';
import type { Bar, Section } from '../../report.js';
import { postgresLogStream } from '../../streams/postgres-log-stream.js';
import { posthastePostgresStream } from '../../streams/posthaste-stream.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import type { StreamTask } from '../../streams/stream-task.js';
import { toRateSection } from './rate-section.js';
import {
  measureInTurn,
  measureRate,
  type RateCase,
  type RateResult,
  type StreamRate,
} from './rounds.js';
import type { StreamContext } from './stream-context.js';

const topic = 'orders';
const limitPerSecond = 20_000;

export async function measurePostgresStream(context: StreamContext): Promise<Section> {
  const { bench, sizes } = context;
  const { postgresEvents: count } = sizes;
  const fill = { kind: 'publish-all', warmUp: 0, count } as const;
  const publishAll = { kind: 'publish-all', warmUp: count / 10, count } as const;
  const consume = () => {
    const groupId = `bench-${randomUUID()}`;
    return { kind: 'consume', groupId, warmUp: count / 10, count } as const;
  };
  const line = (
    name: string,
    { settings }: StreamContender,
    measure: RateCase['measure'],
  ): RateCase => ({ contender: { name, settings }, measure });
  const cases = [
    line('append: transactions of 500', postgresLogStream, async () =>
      run(context, await openStore(context), { contender: postgresLogStream, task: publishAll }),
    ),
    line('append: client.publish', posthastePostgresStream, async () =>
      run(context, await openStore(context), {
        contender: posthastePostgresStream,
        task: publishAll,
      }),
    ),
    line('consume: callbacks', posthastePostgresStream, async () => {
      const databaseUrl = await openStore(context);
      await run(context, databaseUrl, { contender: postgresLogStream, task: fill });
      return run(context, databaseUrl, { contender: posthastePostgresStream, task: consume() });
    }),
  ];
  const results = await measureInTurn(bench, cases, { row: 'postgres', rounds: sizes.rounds });
  return toRateSection({
    id: 'postgres',
    title: `The postgres stream, one shard, ${count.toLocaleString('en-US')} events`,
    unit: 'events/s',
    store: 'database',
    cases,
    results,
    bars: cases.map(({ contender }) => toBar(contender.name, results.get(contender.name))),
    notes: [
      'Appending creates the envelope and its headers; consuming parses it, calls back and commits.',
    ],
  });
}

/** Opens a new log whose topic has one shard. Resolves to its URL. */
function openStore({ bench }: StreamContext): Promise<string> {
  return bench.postgres.open('eventstream', async (url) => {
    const db = await openPostgres({ url });
    await migrate(db, [eventstreamMigrations]);
    const log = new PostgresLog({ db });
    await log.ensureTopic(topic, 1);
    await log.close();
    await db.close();
  });
}

function run(
  { bench }: StreamContext,
  databaseUrl: string,
  { contender, task }: { readonly contender: StreamContender; readonly task: StreamTask },
): Promise<StreamRate> {
  const target = { topic, brokers: [], databaseUrl };
  return measureRate({ contender: contender.name, target, task }, () =>
    treeCpuSeconds(bench.postgres.pid),
  );
}

function toBar(what: string, result: RateResult | undefined): Bar {
  const value = result?.medians.perSecond ?? Number.NaN;
  return { what: `${what}, a second`, value, relation: 'at least', limit: limitPerSecond };
}

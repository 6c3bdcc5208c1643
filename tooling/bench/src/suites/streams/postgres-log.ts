/** The row about the postgres stream. */

import { randomUUID } from 'node:crypto';
import { eventstreamMigrations, PostgresLog } from '@posthaste/eventstream';
import { migrate, openPostgres } from '@posthaste/postgres';
import { treeCpuSeconds } from '../../process-usage.js';
import type { Bar, Section } from '../../report.js';
import { postgresLogStream } from '../../streams/postgres-log-stream.js';
import { posthastePostgresStream } from '../../streams/posthaste-stream.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import type { StreamTask } from '../../streams/stream-task.js';
import type { MeasuredStreams } from './measured-streams.js';
import { toRateSection } from './rate-section.js';
import {
  measureInTurn,
  measureRate,
  type RateCase,
  type RateResult,
  type StreamRate,
} from './rounds.js';

const topic = 'orders';
const limitPerSecond = 20_000;

export async function measurePostgresStream(measured: MeasuredStreams): Promise<Section> {
  const { bench, sizes } = measured;
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
      run(measured, await openStore(measured), postgresLogStream, publishAll),
    ),
    line('append: client.publish', posthastePostgresStream, async () =>
      run(measured, await openStore(measured), posthastePostgresStream, publishAll),
    ),
    line('consume: callbacks', posthastePostgresStream, async () => {
      const databaseUrl = await openStore(measured);
      await run(measured, databaseUrl, postgresLogStream, fill);
      return run(measured, databaseUrl, posthastePostgresStream, consume());
    }),
  ];
  const results = await measureInTurn(bench, 'postgres', cases, sizes.rounds);
  return toRateSection({
    id: 'postgres',
    title: `The postgres stream, one shard, ${count.toLocaleString('en-US')} events`,
    unit: 'events/s',
    store: 'database',
    cases,
    results,
    bars: cases.map(({ contender }) => toBar(contender.name, results.get(contender.name))),
    notes: [
      'Appending makes the envelope and its headers, consuming parses it, calls back and commits.',
    ],
  });
}

/** A new log whose topic has one shard. */
function openStore({ bench }: MeasuredStreams): Promise<string> {
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
  { bench }: MeasuredStreams,
  databaseUrl: string,
  { name: contender }: StreamContender,
  task: StreamTask,
): Promise<StreamRate> {
  const place = { topic, brokers: [], databaseUrl };
  return measureRate({ contender, place, task }, () => treeCpuSeconds(bench.postgres.pid));
}

function toBar(what: string, result: RateResult | undefined): Bar {
  const value = result?.medians.perSecond ?? Number.NaN;
  return { what: `${what}, a second`, value, relation: 'at least', limit: limitPerSecond };
}

/** Row about the worker that publishes the log to Kafka. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresLog } from '@posthaste/eventstream';
import { openPostgres } from '@posthaste/postgres';
import type { ServiceProcess } from '../../contender.js';
import { posthaste } from '../../posthaste/service.js';
import { cpuSeconds, treeCpuSeconds } from '../../process-usage.js';
import type { Section } from '../../report.js';
import type { StreamServer } from '../../stores/kafka.js';
import { postgresLogStream } from '../../streams/postgres-log-stream.js';
import { startTask } from '../../streams/start-task.js';
import { toRateSection } from './rate-section.js';
import { measureInTurn, type RateCase, type StreamRate } from './rounds.js';
import type { StreamContext } from './stream-context.js';

const topic = 'orders';
const limitPerSecond = 10_000;
/** Share of the records at the start that are not measured. */
const warmUpShare = 0.1;
const pollMs = 50;
/** Wait for unexpected second publications, in ms. */
const settleMs = 500;
const fillTimeoutMs = 300_000;

export async function measureRelay(context: StreamContext): Promise<Section> {
  const { bench, sizes } = context;
  let surplus = 0;
  const worker: RateCase = {
    contender: { name: 'worker', settings: {} },
    measure: async () => {
      const { rate, published } = await measureOnce(context);
      surplus = Math.max(surplus, published - sizes.relayedEvents);
      return rate;
    },
  };
  const results = await measureInTurn(bench, [worker], { row: 'relay', rounds: sizes.rounds });
  const value = results.get('worker')?.medians.perSecond ?? Number.NaN;
  return toRateSection({
    id: 'relay',
    title: `From the outbox to Kafka, ${sizes.relayedEvents.toLocaleString('en-US')} events`,
    unit: 'published/s',
    store: 'database',
    cases: [worker],
    results,
    bars: [
      { what: 'published a second', value, relation: 'at least', limit: limitPerSecond },
      { what: 'records beyond the expected ones', value: surplus, relation: 'at most', limit: 0 },
    ],
    notes: ['One worker process, as it is deployed, on a log that was filled before.'],
  });
}

/** Starts a worker on a full log. Resolves to its rate, and to the number of records on Kafka. */
async function measureOnce(
  context: StreamContext,
): Promise<{ readonly rate: StreamRate; readonly published: number }> {
  const { bench, sizes } = context;
  const kafka = await bench.kafka();
  const databaseUrl = await fillLog(context);
  const prefix = `bench-${randomUUID()}`;
  const target = await kafka.createTopic(sizes.partitions, `${prefix}.${topic}`);
  const worker = await posthaste.startWorker(databaseUrl, {
    KAFKA_BROKERS: kafka.brokers.join(),
    POSTHASTE_KAFKA_PREFIX: prefix,
  });
  const usage = () => ({
    client: cpuSeconds(worker.pid),
    store: treeCpuSeconds(bench.postgres.pid),
  });
  try {
    const count = sizes.relayedEvents;
    const relay = { kafka, worker, topic: target };
    const first = await awaitRecords(relay, count * warmUpShare);
    const before = usage();
    const last = await awaitRecords(relay, count);
    const after = usage();
    await sleep(settleMs);
    const published = await kafka.countRecords(target);
    const events = last.records - first.records;
    return {
      published,
      rate: {
        perSecond: events / ((last.atMs - first.atMs) / 1_000),
        clientCpuUs: ((after.client - before.client) * 1e6) / events,
        storeCpuUs: ((after.store - before.store) * 1e6) / events,
      },
    };
  } finally {
    await worker.stop();
    await kafka.deleteTopic(target);
  }
}

/** Resolves to the URL of a database whose log contains the events. */
async function fillLog({ bench, sizes }: StreamContext): Promise<string> {
  return bench.postgres.open('relay', async (databaseUrl) => {
    await posthaste.prepare(databaseUrl);
    const db = await openPostgres({ url: databaseUrl });
    await new PostgresLog({ db }).ensureTopic(topic);
    await db.close();
    const target = { topic, brokers: [], databaseUrl };
    // One less, because the publisher also sends one event when it connects.
    const task = { kind: 'publish-all', warmUp: 0, count: sizes.relayedEvents - 1 } as const;
    await startTask({ contender: postgresLogStream.name, target, task }, fillTimeoutMs).result;
  });
}

/** A worker that publishes to a topic. */
interface Relay {
  readonly kafka: StreamServer;
  readonly worker: ServiceProcess;
  readonly topic: string;
}

/**
 * Waits until the topic has at least `count` records.
 * @throws Error if the worker ends before
 */
async function awaitRecords(
  { kafka, worker, topic }: Relay,
  count: number,
): Promise<{ readonly records: number; readonly atMs: number }> {
  let isOver = false;
  void worker.exited.then(() => {
    isOver = true;
  });
  for (;;) {
    const records = await kafka.countRecords(topic);
    if (records >= count) return { records, atMs: performance.now() };
    if (isOver) throw new Error(`the worker ended with ${records} of ${count} records published`);
    await sleep(pollMs);
  }
}

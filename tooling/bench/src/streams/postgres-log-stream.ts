import { randomUUID } from 'node:crypto';
import { createEnvelope } from '@posthaste/contracts';
import { encodeEnvelope, type LogRecord, PostgresLog, toHeaders } from '@posthaste/eventstream';
import { type Database, openPostgres } from '@posthaste/postgres';
import { type BenchEvent, eventName, eventNamespace } from './bench-event.js';
import { posthastePostgresStream } from './posthaste-stream.js';
import { type StreamContender, sendBatches } from './stream-contender.js';

const batches = { batchSize: 500, batchesInFlight: 4 };

/** The log as the platform uses it: appends in transactions, many events with one statement. */
export const postgresLogStream: StreamContender = {
  name: 'log.append in transactions',
  settings: batches,

  async openPublisher({ topic, databaseUrl }) {
    const db = await openPostgres({ url: databaseUrl });
    const log = new PostgresLog({ db });
    const append = (event: BenchEvent, size: number): Promise<unknown> => {
      const records = Array.from({ length: size }, () => toRecord(topic, event));
      return db.transaction((tx) => log.append(tx, records, { keyOrder: 'append' }));
    };
    return {
      publish: (event) => append(event, 1),
      async publishAll(event, count) {
        await sendBatches(count, batches, (size) => append(event, size));
        await close(log, db);
      },
      close: () => close(log, db),
    };
  },

  openConsumer: posthastePostgresStream.openConsumer,
};

function toRecord(topic: string, { payload }: BenchEvent): LogRecord {
  const event = createEnvelope({ name: eventName, namespace: eventNamespace, payload });
  const value = encodeEnvelope(event, 'default');
  return { topic, key: Buffer.from(randomUUID()), value, headers: toHeaders(event) };
}

async function close(log: PostgresLog, db: Database): Promise<void> {
  await log.close();
  await db.close();
}

import { type Client, createClient, createClientOn, handleOnce } from '@posthaste/eventstream';
import { createPlatformaticDriver } from '@posthaste/eventstream/platformatic';
import { openPostgres } from '@posthaste/postgres';

/**
 * Consumer that a test kills: `mail-process.ts <stream> <broker> <topic> <url of the database>`.
 * For each event it stores a mail in the database, once, and prints `sent <id>`. At the third event
 * it hangs before the commit; the offsets of the others are committed one by one.
 */
const [stream, broker = '', topic = '', url = ''] = process.argv.slice(2);
const kafka = { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 };
const db = await openPostgres({ url, maxConnections: 4 });
const client = await openClient();

async function openClient(): Promise<Client> {
  switch (stream) {
    case 'postgres':
      return createClient('shop', 'postgres', [], { database: db, postgres: { leaseMs: 1_000 } });
    case 'kafkajs':
      return createClient('shop', 'kafka', [broker], kafka);
    default:
      return createClientOn('shop', createPlatformaticDriver({ brokers: [broker], ...kafka }));
  }
}

client.register({
  topic,
  groupId: topic,
  offset: -2,
  commit: 'each',
  callback: async ({ groupId }, event) => {
    const eventId = `${event?.id}`;
    await handleOnce(db, { groupId, eventId }, (tx) =>
      tx.query('insert into mail values ($1)', [eventId]),
    );
    console.log(`sent ${eventId}`);
    if (eventId === '3') await new Promise(() => undefined);
  },
});

import { createClient, createClientOn, handleOnce } from '@posthaste/eventstream';
import { createPlatformaticDriver } from '@posthaste/eventstream/platformatic';
import { openPostgres } from '@posthaste/postgres';

/**
 * A consumer to be killed: `mail-process.ts <library> <broker> <topic> <url of the database>`. For
 * each event it notes a mail in the database, once, and prints that it did; at the third one it
 * stays there. Its other offsets are committed each.
 */
const [library, broker = '', topic = '', url = ''] = process.argv.slice(2);
const kafka = { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 };
const db = await openPostgres({ url, maxConnections: 1 });
const client =
  library === 'kafkajs'
    ? await createClient('shop', 'kafka', [broker], kafka)
    : createClientOn('shop', createPlatformaticDriver({ brokers: [broker], ...kafka }));

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

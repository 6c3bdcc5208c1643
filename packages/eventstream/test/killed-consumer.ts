import { fileURLToPath } from 'node:url';
import { type Database, migrate } from '@posthaste/postgres';
import { startProcess } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { handleOnce } from '../src/inbox/inbox.js';
import { inboxMigrations } from '../src/inbox/migrations.js';
import { onWire, publishNumbers, type StartClientFixture } from './client-fixture.js';
import { openTestLog, type TestLog } from './open-log.js';

const script = fileURLToPath(new URL('mail-process.ts', import.meta.url));

/** Options of `testKilled`. */
export interface KilledOptions {
  /** Name of the stream for mail-process.ts. */
  readonly stream: string;
  /** Brokers of Kafka. */
  readonly brokers?: () => string[];
  /** Log of Postgres, whose database also has inbox and mails. Default: a database of its own. */
  readonly log?: () => TestLog;
}

/** Registers the test of a consumer that is killed between its side effect and its commit. */
export function testKilled(
  start: StartClientFixture,
  { stream, brokers, log }: KilledOptions,
): void {
  describeWithPostgres('with an inbox', () =>
    it('a consumer killed after its side effect: the event is delivered again, and the inbox skips it', async ({
      onTestFinished,
    }) => {
      const { open, newTopic, until } = start(onTestFinished);
      const topic = await newTopic();
      const client = await open({}, { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 });
      await publishNumbers(client, topic, 1, 2, 3, 4, 5);
      const { db, url = '', close } = log?.() ?? (await openTestLog('postgres'));
      onTestFinished(() => (log ? undefined : close()));
      await migrate(db, [inboxMigrations]);
      await db.query('create table mail (event_id text)');

      const args = [script, stream, brokers?.().join() ?? '', topic, url];
      const mailer = await startProcess({ args });
      onTestFinished(() => mailer.close());
      // It has stored the mail, and is killed before it commits the offset.
      await mailer.waitForLine(/^sent 3$/);
      await mailer.kill();
      // Node warns about leaked timers and listeners, for example.
      expect(mailer.output).not.toMatch(/warning/i);

      const handled: string[] = [];
      const skipped: string[] = [];
      client.register({
        topic,
        groupId: topic,
        offset: -2,
        callback: async ({ groupId }, event) => {
          const eventId = `${event?.id}`;
          const isNew = await handleOnce(db, { groupId, eventId }, (tx) =>
            tx.query('insert into mail values ($1)', [eventId]),
          );
          handled.push(eventId);
          if (!isNew) skipped.push(eventId);
        },
      });
      await until(() => expect(handled.at(-1)).toBe('5'));
      expect(handled).toEqual(['3', '4', '5']);
      expect(skipped).toEqual(['3']);
      expect(await mailOf(db)).toEqual(['1', '2', '3', '4', '5']);
      await until(async () => {
        const [lag] = await client.lag(topic, topic);
        expect(lag).toMatchObject({ groupId: onWire(topic), partitions: [{ lag: 0n }] });
      });
    }),
  );
}

async function mailOf(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ event_id: string }>('select event_id from mail');
  return rows.map(({ event_id }) => event_id).sort();
}

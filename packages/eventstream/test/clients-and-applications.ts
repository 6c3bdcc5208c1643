import { applicationHeader } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import type { StoredRecord } from '../src/record.js';
import { applicationOf } from '../src/record-application.js';
import type { StartClientFixture } from './client-fixture.js';

const fromStart = { offset: -2 } as const;

/** Returns the id of the event in a record. */
const idOf = ({ value }: StoredRecord): string => String(JSON.parse(String(value)).id);

/** Registers the tests of applications of events. */
export function testApplications(start: StartClientFixture): void {
  it('events carry the application of their client, or their own, to retries and dead letters', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const retry = { maxAttempts: 1, delaysMs: [10] };
    const client = await open({ application: 'shop', sendErrorDlq: true, retry });
    const none = await open();
    const failed: (StoredRecord | undefined)[] = [];
    client.register({
      topic,
      groupId: topic,
      ...fromStart,
      callback: ({ record }) => {
        failed.push(record);
        throw new Error('never');
      },
    });
    const event = { topic, eventName: 'placed', key: 'k' };
    await client.publish(event);
    await client.publish({ ...event, application: 'größe' });
    await none.publish(event);
    // By event: a consumer that loses its partitions may write one aside again.
    const deadById = new Map<string, StoredRecord>();
    client.register({
      topic: `${topic}.dlq`,
      ...fromStart,
      callback: ({ record }) => record && deadById.set(idOf(record), record),
    });
    await until(() => expect(deadById.size).toBe(3));
    const dead = [...deadById.values()];
    const applications = ['größe', 'shop', undefined];
    const sorted = (records: readonly StoredRecord[]) => records.map(applicationOf).toSorted();
    expect(sorted(dead)).toEqual(applications);
    // Each failed in the topic and in its retry topic.
    const retried = failed.flatMap((record) => record ?? []);
    expect(new Set(sorted(retried))).toEqual(new Set(applications));
    const again = retried.filter(({ headers }) => headers['x-attempts'] !== undefined);
    expect(new Set(again.map(idOf)).size).toBe(3);
    for (const { value } of dead) expect(String(value)).not.toMatch(/application|shop|größe/);
    expect(dead.flatMap(({ headers }) => headers[applicationHeader] ?? [])).toHaveLength(2);
  });
}

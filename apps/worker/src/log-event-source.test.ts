import { applicationHeader, createEnvelope, stringifyExactJson } from '@posthaste/contracts';
import { type PostgresLog, parseTopicRules, type StoredRecord } from '@posthaste/eventstream';
import { describe, expect, it } from 'vitest';
import { createLogEventSource } from './log-event-source.js';

interface TestRecord {
  readonly topic: string;
  readonly namespace?: string;
  readonly application?: string;
}

/** Returns the application of the event that each record becomes. */
async function applicationsOf(
  records: readonly TestRecord[],
  topicApplications: readonly string[] = [],
): Promise<string[]> {
  const stored = records.map(({ topic, namespace = '', application }, index): StoredRecord => {
    const envelope = createEnvelope({ name: 'a.b', namespace, payload: {} });
    return {
      topic,
      partition: 0,
      offset: BigInt(index),
      key: null,
      value: Buffer.from(stringifyExactJson(envelope) ?? ''),
      headers: application === undefined ? {} : { [applicationHeader]: application },
      timestampMs: 0,
    };
  });
  const log = { readGroupBatch: async () => ({ records: stored, skipped: [], more: false }) };
  const source = createLogEventSource({
    log: log as unknown as PostgresLog,
    topicRules: parseTopicRules(topicApplications),
    defaultApplication: 'main',
    observer: { unreadable: (_, error) => expect.unreachable(String(error)), skipped: () => {} },
  });
  const { events } = await source.readBatch(undefined as never, 10, async () => 'none');
  return events.map(({ application }) => application);
}

describe('an event without an application', () => {
  it('belongs to that of its topic, else to the default one', async () => {
    const records = [{ topic: 'orders' }, { topic: 'games' }];
    expect(await applicationsOf(records, ['games=game'])).toEqual(['main', 'game']);
  });

  it('is nobody’s if the platform published it', async () => {
    const topics = ['audit', 'messages', 'realtime', 'posthaste', 'posthaste.later'];
    expect(await applicationsOf(topics.map((topic) => ({ topic })))).toEqual([]);
    expect(await applicationsOf([{ topic: 'audit', application: 'shop' }])).toEqual(['shop']);
  });

  it('has its namespace as application if it is about a callback', async () => {
    const records = [
      { topic: 'callbacks', namespace: 'shop' },
      { topic: 'callbacks', namespace: '' },
    ];
    expect(await applicationsOf(records)).toEqual(['shop', '']);
  });
});

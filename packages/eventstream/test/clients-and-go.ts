import type { EventEnvelope } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import type { PublishRequest } from '../src/builders/publish.js';
import type { EnvelopeProfile } from '../src/envelope/encode.js';
import { encodeEnvelope } from '../src/envelope/encode.js';
import type { StartClientFixture } from './client-fixture.js';
import { readGoResults } from './go-results.js';

const fromStart = { offset: -2 } as const;
const id = '0123456789abcdef0123456789abcdef';
const timestampUnixNano = 1_767_323_045_123_456_789n;
const bare = { id, timestampUnixNano, eventName: 'placed' };

/** Events whose bytes are in go/published.jsonl. */
const events: readonly Omit<PublishRequest, 'topic'>[] = [
  bare,
  { ...bare, payload: {} },
  {
    ...bare,
    namespace: 'game',
    parentNamespace: 'studio',
    unionNamespace: 'union',
    targetNamespace: 'target',
    sourceNamespace: 'source',
    clientId: 'c',
    userId: 'u',
    sessionId: 's',
    traceId: 't',
    spanContext: '1:2:0:1',
    eventId: 9_223_372_036_854_775_807n,
    eventType: -1,
    eventLevel: 3,
    serviceName: 'orders',
    clientIds: ['a', ''],
    targetUserIds: [],
    privacy: true,
    additionalFields: { 'b<': 1, a: null },
    version: 2,
    payload: {
      text: '<a href="x">&</a>\u2028\u2029\ud800 é 😀',
      numbers: [0, -1.5, 1e21, 9_007_199_254_740_991],
      nested: { z: null, a: [true, false, {}] },
    },
  },
];

/** Registers the tests of records that Go services and these clients exchange on a real stream. */
export function testGo(start: StartClientFixture): void {
  it.for<[EnvelopeProfile, 'newer' | 'older']>([
    ['default', 'newer'],
    ['v3.1', 'older'],
  ])(
    'a record in profile %s means the same to a Go service of the %s SDK',
    async ([profile, sdk], { onTestFinished }) => {
      const { open, newTopic, until } = start(onTestFinished);
      const topic = await newTopic();
      const client = await open({ profile });
      const values: string[] = [];
      const callbackRaw = (_ctx: unknown, value: Buffer | null): unknown => values.push(`${value}`);
      client.register({ topic, ...fromStart, callbackRaw });
      for (const event of events) await client.publish({ ...event, topic, key: 'order-7' });
      await until(() => expect(values).toHaveLength(events.length));
      const { read } = readGoResults('published');
      for (const value of values) {
        // Go reads the record and writes the same bytes again: every key, type and null.
        expect(read.find(({ record }) => record === value)?.[sdk]).toBe(value);
      }
    },
  );

  it('records of Go services are read, and dropped where Go services drop them', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, append, until } = start(onTestFinished);
    const topic = await newTopic();
    const { read, dropped } = readGoResults('envelopes');
    const written = read.flatMap(({ newer, older }) => [newer, older]);
    await append(topic, [...written, ...dropped.map(({ record }) => record)]);
    const client = await open();
    const got: EventEnvelope<object>[] = [];
    client.register({
      topic,
      groupId: topic,
      ...fromStart,
      callback: (_ctx, event) => event && got.push(event),
    });
    await until(async () =>
      expect((await client.lag(topic, topic))[0]?.partitions[0]?.lag).toBe(0n),
    );
    const again = got.map((event, index) =>
      encodeEnvelope(event, index % 2 === 0 ? 'default' : 'v3.1').toString(),
    );
    expect(again).toEqual(written);
  });
}

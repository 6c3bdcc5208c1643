import { type CallbackEventName, callbackEventNames, newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeEach, describe, expect, it } from 'vitest';
import { TestSink } from '../../test/events.js';
import {
  accept,
  attemptWith,
  claim,
  delivered,
  failed,
  type TestCallback,
} from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import type { Delivery, DeliveryResult } from '../delivery/delivery.js';
import type { CallbackEvent } from '../events/callback-events.js';
import { toEventBody } from '../events/subscribed-event.js';
import { isPlainDelivery } from './delivered-events-statement.js';
import { finishResults } from './finish-results.js';
import { toResultEvents } from './result-events.js';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const dayMs = 86_400_000;

const callbacks: readonly TestCallback[] = [
  {},
  { application: 'shop' },
  { application: 'shop', endpointId: newId() },
  { trace: { traceparent } },
  { trace: { traceparent: `${traceparent.slice(0, -1)}2` } },
  { application: `'; drop table x; -- $1 %s ''` },
  { application: '},{a:[1]' },
  { application: 'größer "x" \\ <&>' },
  { acceptedAt: new Date(Date.now() - 60 * dayMs) },
];

describeWithPostgres('events built by the statement, on Postgres', () => suite('postgres'));
describe('events built by the statement, embedded', () => suite('embedded'));

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);
  let results: readonly DeliveryResult[] = [];
  const toResult = (delivery: Delivery, n: number): DeliveryResult => ({
    delivery: { ...delivery, failures: n, unknowns: 1 },
    attempt: { ...attemptWith(200), durationNs: 9_007_199_254_740_993n + BigInt(n) },
    verdict: delivered,
    keepLease: false,
  });
  beforeEach(async () => {
    await accept(store.db, ...callbacks);
    results = (await claim(store.db)).map(toResult);
    expect(results).toHaveLength(callbacks.length);
  });
  const finish = async (
    finished: readonly DeliveryResult[],
    wanted?: readonly CallbackEventName[],
  ): Promise<CallbackEvent[]> => {
    const sink = await TestSink.create(store.db, wanted, 'statement');
    expect(await finishResults(store.db, finished, sink)).toBe(finished.length);
    return sink.events();
  };

  it('are those that the worker builds for the same results, member by member', async () => {
    const events = await finish(results);
    expect(events).toHaveLength(2 * results.length);
    for (const result of results) {
      const { callbackId } = result.delivery;
      const byStatement = events.filter(({ key }) => key === callbackId);
      const byWorker = toResultEvents({ result, ending: 'delivered', parked: false }, () => true);
      expect(byStatement.map(comparable)).toEqual(byWorker.map(asRead).map(comparable));
    }
    for (const { envelope } of events) {
      expect(envelope.id).toMatch(/^[0-9a-f]{32}$/);
      expect(Math.abs(Date.parse(envelope.timestamp) - Date.now())).toBeLessThan(60_000);
    }
    expect(new Set(events.map(({ envelope }) => envelope.id)).size).toBe(events.length);
  });

  it('are those that were wanted at the beginning', async () => {
    const sink = await TestSink.create(store.db, undefined, 'statement');
    let calls = 0;
    const wants = (): boolean => calls++ < callbackEventNames.length;
    const { inStatement } = sink;
    const forgetful = { wants, inStatement, append: sink.append.bind(sink) };
    expect(await finishResults(store.db, results, forgetful)).toBe(results.length);
    expect(await sink.events()).toHaveLength(2 * results.length);
  });

  it('are none about deliveries when only failures are wanted', async () => {
    const [first, ...others] = results;
    if (!first) throw new Error('nothing was claimed');
    const failure = { ...first, attempt: attemptWith(500), verdict: failed };
    const events = await finish([failure, ...others], ['callback.failed']);
    expect(events.map(({ key }) => key)).toEqual([first.delivery.callbackId]);
  });
}

it.each([
  ['', true],
  ['shop', true],
  ["it's $1, {x}: [y]", true],
  ['"', false],
  ['\\', false],
  ['<', false],
  ['>', false],
  ['&', false],
  ['\u007f', false],
  ['\n', false],
  ['ü', false],
  ['\u2028', false],
  ['shop\n', false],
])('decides that the application %j is plain text: %s', (application, isPlain) => {
  const delivery = { ordered: false, echo: 0, application } as Delivery;
  const result = { delivery, attempt: attemptWith(200), verdict: delivered, keepLease: false };
  expect(isPlainDelivery(result)).toBe(isPlain);
});

/** Returns an event as it is read from the log, which leaves out empty members. */
function asRead({ envelope, topic, key, application, traceparent }: CallbackEvent): CallbackEvent {
  const text = toEventBody(envelope).toString();
  const read = JSON.parse(text, (_, value) => (value === '' ? undefined : value));
  return { topic, key, application, traceparent, envelope: read };
}

/**
 * Returns everything but the values that are new in every event; the order of the envelope's keys
 * counts.
 */
function comparable({ envelope, topic, key, application, traceparent }: CallbackEvent): object {
  const { id: _, timestamp: _time, timestampUnixNano: _nano, ...rest } = envelope;
  const trace = traceparent ?? undefined;
  return { topic, key, application, trace, rest, keys: Object.keys(envelope) };
}

import { callbackEventTopic, newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeEach, describe, expect, it } from 'vitest';
import { TestSink } from '../../test/events.js';
import { useOwnStore } from '../../test/test-store.js';
import { toCallbackRequest } from '../request/request.js';
import { toAcceptedEvents } from './accepted-events.js';
import { Intake } from './intake.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const all = (): boolean => true;

describe('the event about an accepted callback', () => {
  it('has its origin and method, and no secrets', () => {
    const input = {
      url: 'https://user:pass@example.com/token-1?key=token-2',
      headers: { authorization: 'token-3' },
      trace: { traceparent },
      body: Buffer.from('token-4'),
      secret: 'token-5',
      application: 'shop',
      queue: 'q',
    };
    const request = toCallbackRequest(input, rules);
    const id = newId();
    const [event] = toAcceptedEvents([{ id, request, idempotency: undefined }], { wants: all });
    expect(event).toMatchObject({
      topic: callbackEventTopic,
      key: 'shop/q',
      traceparent,
      envelope: {
        name: 'callback.accepted',
        namespace: 'shop',
        payload: { callbackId: id, queue: 'q', origin: 'https://example.com', method: 'POST' },
      },
    });
    const text = JSON.stringify(event?.envelope, (_, v) => (typeof v === 'bigint' ? `${v}` : v));
    expect(text).not.toMatch(/token-|pass/);
  });

  it('is missing when it is not wanted', () => {
    const request = toCallbackRequest({ url: 'http://example.com/' }, rules);
    const item = { id: newId(), request, idempotency: undefined };
    expect(toAcceptedEvents([item], { wants: () => false })).toEqual([]);
  });

  it('is not there when the callback was made for an event about a callback', () => {
    const request = toCallbackRequest({ url: 'http://example.com/' }, rules);
    const item = { id: newId(), request: { ...request, echo: 1 }, idempotency: undefined };
    expect(toAcceptedEvents([item], { wants: all })).toEqual([]);
  });
});

describeWithPostgres('events about accepted callbacks', () => {
  const store = useOwnStore();
  let sink: TestSink;
  beforeEach(async () => {
    sink = await TestSink.create(store.db);
  });

  const itemOf = (key?: string, queue?: string) => ({
    id: newId(),
    request: toCallbackRequest({ url: 'http://example.com/', ...(queue ? { queue } : {}) }, rules),
    idempotency: key === undefined ? undefined : { key, bodyHash: Buffer.alloc(32) },
  });
  const acceptedLines = async (): Promise<string[]> => sink.eventLines('callbackId');
  const line = (id: string): string => `callback.accepted ${id}`;

  it('are appended in the transaction that stores the callbacks', async () => {
    const intake = new Intake(store.db, { events: sink });
    const items = Array.from({ length: 20 }, () => itemOf());
    await Promise.all(items.map((item) => intake.add(item)));
    expect((await acceptedLines()).sort()).toEqual(items.map(({ id }) => line(id)).sort());
    await intake.close();
  });

  it('are appended once for a callback that is sent repeatedly', async () => {
    const intake = new Intake(store.db, { events: sink });
    const first = itemOf('once');
    await intake.add(first);
    const [again, other] = [itemOf('once'), itemOf('other')];
    const outcomes = await intake.addAll([again, other]);
    expect(outcomes).toMatchObject([{ value: { repeated: true } }, { value: { repeated: false } }]);
    expect(await acceptedLines()).toEqual([line(first.id), line(other.id)]);
    await intake.close();
  });

  it('are not appended for a callback that the database refuses', async () => {
    const intake = new Intake(store.db, { events: sink });
    const wrong = itemOf();
    const refused = { ...wrong, request: { ...wrong.request, endpointId: 'no id' } };
    const stored = itemOf();
    const outcomes = await intake.addAll([refused, stored]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await acceptedLines()).toEqual([line(stored.id)]);
    await intake.close();
  });

  it('are not appended when only other events are wanted', async () => {
    const other = await TestSink.create(store.db, ['callback.delivered']);
    const intake = new Intake(store.db, { events: other });
    await intake.add(itemOf());
    expect(await other.events()).toEqual([]);
    await intake.close();
  });
});

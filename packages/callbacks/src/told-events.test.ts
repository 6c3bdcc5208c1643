import { newId } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { untilState, useDispatchers } from '../test/delivering.js';
import { TestSink } from '../test/events.js';
import { accept, acceptOne } from '../test/live-callbacks.js';
import { useOwnStore } from '../test/test-store.js';
import type { CallbackEventName } from './callback-events.js';
import { Intake } from './intake.js';
import { toCallbackRequest } from './request.js';
import { createResultCompany } from './result-company.js';
import type { RetryPolicy } from './retry-policy.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };
const twice: RetryPolicy = { kind: 'phases', phases: [{ retries: 1, delayNs: 5_000_000n }] };

describeWithPostgres('events about callbacks', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  let sink: TestSink;
  beforeEach(async () => {
    sink = await TestSink.create(store.db);
  });
  afterEach(() => receiver?.close());
  const start = useDispatchers(store);
  const startTelling = (told: TestSink = sink) => start({}, { company: createResultCompany(told) });
  const names = async (): Promise<string[]> =>
    (await sink.told()).map(({ envelope }) => envelope.name);

  it('tell of every attempt and ending, in order and once', async () => {
    receiver = await startReceiver([500, 200, 500, 500]);
    const first = await acceptOne(store.db, { url: receiver.url, policy: twice, queue: 'q' });
    const second = await acceptOne(store.db, { url: receiver.url, policy: twice, queue: 'q' });
    await startTelling();
    await untilState(store.db, second, 'failed');
    expect(await sink.toldOf('callbackId')).toEqual([
      `callback.attempted ${first}`,
      `callback.attempted ${first}`,
      `callback.delivered ${first}`,
      `callback.attempted ${second}`,
      `callback.attempted ${second}`,
      `callback.failed ${second}`,
    ]);
    expect(new Set((await sink.told()).map(({ key }) => key))).toEqual(new Set(['/q']));
  });

  it('tell of callbacks in no queue, whose results are written together', async () => {
    receiver = await startReceiver(200);
    const ids = await accept(
      store.db,
      ...Array.from({ length: 50 }, () => ({ url: receiver.url })),
    );
    await startTelling();
    await vi.waitFor(async () => expect((await names()).length).toBe(100), 10_000);
    const expected = ids.flatMap((id) => [`callback.attempted ${id}`, `callback.delivered ${id}`]);
    expect((await sink.toldOf('callbackId')).sort()).toEqual(expected.sort());
  });

  it('tell of no result whose lease was lost, and of all the others beside it', async () => {
    receiver = await startReceiver({ kind: 'respond', status: 200, delayMs: 300 });
    const ids = await accept(store.db, ...Array.from({ length: 5 }, () => ({ url: receiver.url })));
    const { seen } = await start({ recordWindowMs: 100 }, { company: createResultCompany(sink) });
    await receiver.waitFor(5);
    const [lost] = ids;
    await store.db.query(
      'update callbacks.head set lease_token = gen_random_uuid() where callback_id = $1',
      [lost],
    );
    await vi.waitFor(() => expect(seen.lost).toBe(1), 10_000);
    const told = await sink.toldOf('callbackId');
    expect(told.filter((line) => line.startsWith('callback.delivered'))).toHaveLength(4);
    expect(told.filter((line) => line.endsWith(lost ?? ''))).toEqual([]);
    await store.db.query('truncate callbacks.head, callbacks.history, callbacks.request');
  });

  it('are written with the result or not at all', async () => {
    receiver = await startReceiver(200);
    const id = await acceptOne(store.db, { url: receiver.url });
    let failures = 0;
    const failing = Object.assign(Object.create(sink) as TestSink, {
      wants: () => true,
      append: (...args: Parameters<TestSink['append']>) => {
        failures += 1;
        if (failures > 2) return sink.append(...args);
        return sink.append(...args).then(async () => {
          await args[0].query('select pg_terminate_backend(pg_backend_pid())');
        });
      },
    });
    await startTelling(failing);
    await untilState(store.db, id, 'delivered');
    expect(failures).toBe(3);
    expect(await names()).toEqual(['callback.attempted', 'callback.delivered']);
    expect(receiver.count).toBe(1);
  });

  it('are none of those that nobody wants', async () => {
    receiver = await startReceiver([200, 500]);
    sink = await TestSink.create(store.db, ['callback.failed']);
    const ids = await accept(store.db, ...[1, 2].map(() => ({ url: receiver.url, queue: 'q' })));
    await startTelling();
    await untilState(store.db, ids[1] ?? '', 'failed');
    expect(await names()).toEqual(['callback.failed']);
  });

  describeIntake(store, () => sink);
});

function describeIntake(store: { readonly db: Database }, sink: () => TestSink): void {
  const itemOf = (key?: string, queue?: string) => ({
    id: newId(),
    request: toCallbackRequest({ url: 'http://example.com/', ...(queue ? { queue } : {}) }, rules),
    idempotency: key === undefined ? undefined : { key, bodyHash: Buffer.alloc(32) },
  });
  const acceptedIds = async (): Promise<string[]> => sink().toldOf('callbackId');
  const line = (id: string): string => `callback.accepted ${id}`;

  it('tell of what is accepted, in the transaction that stores it', async () => {
    const intake = new Intake(store.db, { events: sink() });
    const items = Array.from({ length: 20 }, () => itemOf());
    await Promise.all(items.map((item) => intake.add(item)));
    expect((await acceptedIds()).sort()).toEqual(items.map(({ id }) => line(id)).sort());
    await intake.close();
  });

  it('tell of a callback once, however often it is handed in', async () => {
    const intake = new Intake(store.db, { events: sink() });
    const first = itemOf('once');
    await intake.add(first);
    const [again, other] = [itemOf('once'), itemOf('other')];
    const outcomes = await intake.addAll([again, other]);
    expect(outcomes).toMatchObject([{ value: { repeated: true } }, { value: { repeated: false } }]);
    expect(await acceptedIds()).toEqual([line(first.id), line(other.id)]);
    await intake.close();
  });

  it('tell nothing of what the database refuses', async () => {
    const intake = new Intake(store.db, { events: sink() });
    const wrong = itemOf();
    const refused = { ...wrong, request: { ...wrong.request, endpointId: 'no id' } };
    const stored = itemOf();
    const outcomes = await intake.addAll([refused, stored]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await acceptedIds()).toEqual([line(stored.id)]);
    await intake.close();
  });

  it('tell nothing of it where only other events are wanted', async () => {
    const wanted: CallbackEventName[] = ['callback.delivered'];
    const quiet = await TestSink.create(store.db, wanted);
    const intake = new Intake(store.db, { events: quiet });
    await intake.add(itemOf());
    expect(await quiet.told()).toEqual([]);
    await intake.close();
  });
}

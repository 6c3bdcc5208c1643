import { newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeEach, expect, it } from 'vitest';
import { TestSink } from '../../test/events.js';
import { useOwnStore } from '../../test/test-store.js';
import { toCallbackRequest } from '../request/request.js';
import { Intake } from './intake.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };

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
  const acceptedIds = async (): Promise<string[]> => sink.toldOf('callbackId');
  const line = (id: string): string => `callback.accepted ${id}`;

  it('tell of what is accepted, in the transaction that stores it', async () => {
    const intake = new Intake(store.db, { events: sink });
    const items = Array.from({ length: 20 }, () => itemOf());
    await Promise.all(items.map((item) => intake.add(item)));
    expect((await acceptedIds()).sort()).toEqual(items.map(({ id }) => line(id)).sort());
    await intake.close();
  });

  it('tell of a callback once, however often it is handed in', async () => {
    const intake = new Intake(store.db, { events: sink });
    const first = itemOf('once');
    await intake.add(first);
    const [again, other] = [itemOf('once'), itemOf('other')];
    const outcomes = await intake.addAll([again, other]);
    expect(outcomes).toMatchObject([{ value: { repeated: true } }, { value: { repeated: false } }]);
    expect(await acceptedIds()).toEqual([line(first.id), line(other.id)]);
    await intake.close();
  });

  it('tell nothing of what the database refuses', async () => {
    const intake = new Intake(store.db, { events: sink });
    const wrong = itemOf();
    const refused = { ...wrong, request: { ...wrong.request, endpointId: 'no id' } };
    const stored = itemOf();
    const outcomes = await intake.addAll([refused, stored]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await acceptedIds()).toEqual([line(stored.id)]);
    await intake.close();
  });

  it('tell nothing of it where only other events are wanted', async () => {
    const quiet = await TestSink.create(store.db, ['callback.delivered']);
    const intake = new Intake(store.db, { events: quiet });
    await intake.add(itemOf());
    expect(await quiet.told()).toEqual([]);
    await intake.close();
  });
});

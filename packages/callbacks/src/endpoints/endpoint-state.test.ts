import { randomBytes } from 'node:crypto';
import { newId } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { accept, claim, findFaults, record, work } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { CachedEndpointDirectory } from '../dispatch/endpoint-directory.js';
import { pauseQueue, resumeQueue } from '../queues/queue-control.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { releaseHeldHeads } from './endpoint-hold.js';
import {
  disableEndpoint,
  enableEndpoint,
  pauseEndpoint,
  resumeEndpoint,
} from './endpoint-state.js';
import { Endpoints } from './endpoints.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const withCode = (code: string): unknown => expect.objectContaining({ code });

describeWithPostgres('the state of an endpoint', () => {
  const store = useEmptiedStore();
  let endpoints: Endpoints;
  let id: string;
  const clock = { ms: 0 };
  beforeAll(async () => {
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    endpoints = new Endpoints({ db: store.db, secrets, rules });
  });
  beforeEach(async () => {
    await store.db.query('delete from callbacks.endpoint');
    const created = await endpoints.create({
      application: '',
      name: newId(),
      url: 'https://example.com/',
      notificationEmail: 'ops@example.com',
    });
    id = created.endpoint.id;
  });
  const directory = (): CachedEndpointDirectory =>
    new CachedEndpointDirectory(store.db, { now: () => clock.ms });
  /** Holds what is due, as a worker does for an endpoint that is not active. */
  const hold = async (): Promise<void> => {
    await record(store.db, await claim(store.db, 5_000), { kind: 'hold' });
  };
  const held = async (): Promise<number> => {
    const { rows } = await store.db.query(`select from callbacks.head where hold = 'endpoint'`);
    return rows.length;
  };
  const stateOf = async (): Promise<unknown> => {
    const { state, stateReason } = await endpoints.get(id, 'all');
    return [state, stateReason];
  };

  it('goes from active to paused and back, and then releases what waited', async () => {
    const [free] = await accept(store.db, { endpointId: id });
    const queued = await accept(
      store.db,
      ...[1, 2].map(() => ({ endpointId: id, queue: 'orders' })),
    );
    await pauseEndpoint(store.db, id, { within: 'all', reason: 'maintenance' });
    expect(await stateOf()).toEqual(['paused', 'maintenance']);
    await hold();
    expect(await claim(store.db)).toEqual([]);
    expect(await held()).toBe(2);
    await resumeEndpoint(store.db, id, { within: 'all' });
    expect(await stateOf()).toEqual(['active', undefined]);
    expect(await findFaults(store.db)).toEqual([]);
    expect((await work(store.db)).sort()).toEqual([free, ...queued].sort());
  });

  it('is disabled by only one of several results that answered 410', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        store.db.transaction((tx) =>
          disableEndpoint(tx, id, { within: 'all', reason: 'answered 410' }),
        ),
      ),
    );
    const disabled = answers.filter((answer) => answer !== undefined);
    expect(disabled).toEqual([
      expect.objectContaining({
        id,
        reason: 'answered 410',
        url: 'https://example.com/',
        notificationEmail: 'ops@example.com',
      }),
    ]);
    expect(await stateOf()).toEqual(['disabled', 'answered 410']);
    expect(
      await disableEndpoint(store.db, newId(), { within: 'all', reason: 'gone' }),
    ).toBeUndefined();
  });

  it('is not disabled when the transaction of the result is rolled back', async () => {
    const rolledBack = store.db.transaction(async (tx) => {
      await disableEndpoint(tx, id, { within: 'all', reason: 'answered 410' });
      throw new Error('the worker died');
    });
    await expect(rolledBack).rejects.toThrow('the worker died');
    expect(await stateOf()).toEqual(['active', undefined]);
  });

  it('goes from disabled to active only by enabling, not by resuming', async () => {
    const [callback] = await accept(store.db, { endpointId: id });
    await disableEndpoint(store.db, id, { within: 'all', reason: 'an operator disabled it' });
    await hold();
    const refused = withCode('ENDPOINT_STATE');
    await expect(pauseEndpoint(store.db, id, { within: 'all' })).rejects.toEqual(refused);
    await expect(resumeEndpoint(store.db, id, { within: 'all' })).rejects.toEqual(refused);
    expect(await held()).toBe(1);
    await enableEndpoint(store.db, id, { within: 'all' });
    expect(await work(store.db)).toEqual([callback]);
    await pauseEndpoint(store.db, id, { within: 'all' });
    await pauseEndpoint(store.db, id, { within: 'all', reason: 'long\0er' });
    expect(await stateOf()).toEqual(['paused', 'longer']);
    await expect(enableEndpoint(store.db, id, { within: 'all' })).rejects.toEqual(refused);
    for (const unknown of [newId(), 'x']) {
      const notFound = withCode('ENDPOINT_NOT_FOUND');
      await expect(pauseEndpoint(store.db, unknown, { within: 'all' })).rejects.toEqual(notFound);
      await expect(resumeEndpoint(store.db, unknown, { within: 'all' })).rejects.toEqual(notFound);
      await expect(enableEndpoint(store.db, unknown, { within: 'all' })).rejects.toEqual(notFound);
    }
  });

  it('reaches workers within two seconds, with headers and limits', async () => {
    const workers = directory();
    const settings = {
      active: true,
      headers: { 'x-token': 't' },
      ratePerSecond: 2.5,
      maxConcurrency: undefined,
    };
    await endpoints.update(
      id,
      { headers: { 'X-Token': 't' }, ratePerSecond: 2.5 },
      { within: 'all' },
    );
    const missing = newId();
    expect(await workers.settings([id, missing, id])).toEqual(new Map([[id, settings]]));
    await pauseEndpoint(store.db, id, { within: 'all' });
    clock.ms += 1_999;
    expect((await workers.settings([id])).get(id)?.active).toBe(true);
    clock.ms += 1;
    expect((await workers.settings([id])).get(id)?.active).toBe(false);
    await resumeEndpoint(store.db, id, { within: 'all' });
    workers.forget(id);
    expect((await workers.settings([id])).get(id)).toEqual(settings);
  });

  it('is repaired by housekeeping when a worker held callbacks after the resume', async () => {
    const callbacks = await accept(store.db, { endpointId: id }, { endpointId: id });
    const other = await endpoints.create({
      application: '',
      name: 'other',
      url: 'https://example.com/',
    });
    await accept(store.db, { endpointId: other.endpoint.id });
    await pauseEndpoint(store.db, id, { within: 'all' });
    await pauseEndpoint(store.db, other.endpoint.id, { within: 'all' });
    await hold();
    // As if the worker had committed its holds just after the resume released held callbacks.
    await store.db.query(`update callbacks.endpoint set state = 'active' where id = $1`, [id]);
    expect(await releaseHeldHeads(store.db)).toBe(2);
    expect((await work(store.db)).sort()).toEqual([...callbacks].sort());
    expect(await held()).toBe(1);
    expect(await releaseHeldHeads(store.db)).toBe(0);
  });

  it('does not let a worker hold a callback because its cache still says paused', async () => {
    const [first] = await accept(store.db, { endpointId: id });
    await record(store.db, await claim(store.db), { kind: 'hold' });
    expect(await held()).toBe(0);
    expect(await work(store.db)).toEqual([first]);
  });

  it('releases more than one batch, and leaves paused queues paused', async () => {
    await accept(store.db, ...Array.from({ length: 2_500 }, () => ({ endpointId: id })));
    const [first] = await accept(store.db, { endpointId: id, queue: 'orders' });
    await disableEndpoint(store.db, id, { within: 'all', reason: 'gone' });
    await hold();
    expect(await held()).toBe(2_501);
    await pauseQueue(store.db, { application: '', queue: 'orders' });
    await enableEndpoint(store.db, id, { within: 'all' });
    expect(await held()).toBe(0);
    expect(await work(store.db)).toHaveLength(2_500);
    await resumeQueue(store.db, { application: '', queue: 'orders' });
    expect(await work(store.db)).toEqual([first]);
  });

  it('ends with the endpoint: a worker gets its held callbacks again, and finds no endpoint', async () => {
    const callbacks = await accept(store.db, { endpointId: id }, { endpointId: id, queue: 'q' });
    await pauseEndpoint(store.db, id, { within: 'all' });
    await hold();
    await endpoints.remove(id, 'all');
    const claimed = await claim(store.db);
    expect(claimed.map(({ callbackId }) => callbackId).sort()).toEqual([...callbacks].sort());
    expect(await directory().settings([id])).toEqual(new Map());
    await record(store.db, claimed, { kind: 'hold' });
    expect(await held()).toBe(0);
    expect(await claim(store.db)).toHaveLength(2);
  });
});

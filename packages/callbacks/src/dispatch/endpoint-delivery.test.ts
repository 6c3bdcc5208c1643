import { randomBytes } from 'node:crypto';
import { type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startDispatcher, type TestDispatcher } from '../../test/delivering.js';
import { eventOf } from '../../test/events.js';
import { useOwnStore } from '../../test/test-store.js';
import type { EndpointInput } from '../endpoints/endpoint-input.js';
import { enableEndpoint } from '../endpoints/endpoint-state.js';
import { Endpoints, type NewEndpoint } from '../endpoints/endpoints.js';
import { listCallbacks } from '../lookup/read-store.js';
import { createDeliverySigner } from '../secrets/delivery-signer.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { EventFanout } from '../subscriptions/event-fanout.js';
import { Subscriptions } from '../subscriptions/subscriptions.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 15_000, urlFault: () => undefined };

describeWithPostgres('events that are delivered to an endpoint', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  let secrets: Secrets;
  let endpoints: Endpoints;
  let worker: TestDispatcher;
  let fanout: EventFanout;

  beforeEach(async () => {
    secrets = new Secrets(store.db, createSecretBox(randomBytes(32)), { cacheTtlMs: 50 });
    endpoints = new Endpoints({ db: store.db, secrets, rules });
    fanout = new EventFanout({ db: store.db });
    worker = await startDispatcher(store.db, {}, { signer: createDeliverySigner(secrets) });
  });
  afterEach(async () => {
    await worker.close(500);
    expect(worker.seen.errors).toEqual([]);
    await receiver.close();
  });
  const subscribed = async (settings: Partial<EndpointInput> = {}): Promise<NewEndpoint> => {
    const made = await endpoints.create({
      application: '',
      name: 'hook',
      url: receiver.url,
      ...settings,
    });
    await new Subscriptions(store.db).create(
      { endpointId: made.endpoint.id, eventName: '**' },
      'all',
    );
    return made;
  };
  const publish = (...ns: readonly number[]): Promise<number> =>
    fanout.deliverEvents(
      store.db,
      ns.map((n) => eventOf('order.created', { n }, { key: 'k' })),
    );
  const states = async (): Promise<string[]> =>
    (await listCallbacks(store.db, { within: 'all' }, {})).items.map(({ state }) => state).sort();
  const statesBecome = (...expected: readonly string[]): Promise<void> =>
    vi.waitFor(async () => expect(await states()).toEqual(expected), {
      timeout: 10_000,
      interval: 20,
    });

  it('arrive in order, signed with its secret and with its headers', async () => {
    receiver = await startReceiver(204);
    const { secret } = await subscribed({ order: 'key', headers: { 'X-Token': 't' } });
    await publish(1, 2, 3);
    await statesBecome('delivered', 'delivered', 'delivered');
    const webhook = new Webhook(secret.secret);
    const payloads = receiver.requests.map(({ headers, body }) => {
      expect(headers).toMatchObject({ 'x-token': 't', 'content-type': 'application/json' });
      return webhook.verify(body, headers as Record<string, string>);
    });
    expect(payloads).toMatchObject([1, 2, 3].map((n) => ({ payload: { n } })));
  });

  it('can be verified with the old and the new secret while it is rotated', async () => {
    receiver = await startReceiver(204);
    const { secret } = await subscribed();
    const rotated = await secrets.rotate(secret);
    await publish(1);
    await statesBecome('delivered');
    for (const { secret: text } of [secret, rotated]) {
      const [request] = receiver.requests;
      const headers = request?.headers as Record<string, string>;
      expect(new Webhook(text).verify(request?.body ?? '', headers)).toBeDefined();
    }
  });

  it('are held when it answers 410, and arrive when it is enabled', async () => {
    receiver = await startReceiver([410, 204]);
    const { endpoint } = await subscribed();
    await publish(1);
    await statesBecome('failed');
    expect(await endpoints.get(endpoint.id, 'all')).toMatchObject({
      state: 'disabled',
      stateReason: 'its receiver answered 410 Gone',
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await publish(2, 3);
    await statesBecome('failed', 'held', 'held');
    expect(receiver.count).toBe(1);
    await enableEndpoint(store.db, endpoint.id, { within: 'all' });
    await statesBecome('delivered', 'delivered', 'failed');
  });

  it('are cancelled when it is removed', async () => {
    receiver = await startReceiver(500);
    const policy = { phases: [{ retries: 5, delayMs: 1_000 }] };
    const { endpoint } = await subscribed({ order: 'key', policy });
    await publish(1, 2);
    await vi.waitFor(() => expect(receiver.count).toBe(1), { timeout: 10_000 });
    await endpoints.remove(endpoint.id, 'all');
    await statesBecome('cancelled', 'cancelled');
  });
});

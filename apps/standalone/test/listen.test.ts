import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createTestDatabase,
  freePort,
  type Receiver,
  type RunningProcess,
  startReceiver,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Environment, posthaste, startPosthaste } from './posthaste.js';

type Received = Receiver['requests'][number];

const waitOptions = { timeout: 120_000, interval: 200 };
const secret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

describeWithPostgres('posthaste listen', () => {
  const toClose: (() => Promise<unknown>)[] = [];
  let env: Environment;
  let url: string;
  let gateway: RunningProcess;
  let real: Receiver;

  beforeAll(async () => {
    const database = await createTestDatabase();
    const port = String(await freePort());
    url = `http://127.0.0.1:${port}`;
    real = await startReceiver(200);
    toClose.push(() => real.close(), database.drop);
    env = {
      DATABASE_URL: database.url,
      POSTHASTE_PORT: port,
      POSTHASTE_URL: url,
      POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      POSTHASTE_ALLOW_LOOPBACK: 'true',
      POSTHASTE_WORKER_PORT: String(await freePort()),
      // A busy test machine would exceed the delay.
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    };
    expect(await posthaste(['migrate'], env)).toMatchObject({ code: 0 });
    gateway = await startGateway();
    const worker = await startPosthaste(['worker'], env, /the worker delivers/);
    toClose.unshift(() => worker.close());
  }, 240_000);
  afterAll(async () => {
    for (const close of toClose) await close();
  });

  const startGateway = (): Promise<RunningProcess> =>
    startPosthaste(['gateway'], env, new URL('/health/ready', url));

  async function call<T>(path: string, body: unknown): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json() as Promise<T>;
  }

  /** Publishes an event again and again until there is an answer. Its id keeps it from being two. */
  async function publish(event: object): Promise<void> {
    for (;;) {
      const answer = await call('/v1/events', event).catch(() => undefined);
      if (answer) return;
      await sleep(50);
    }
  }

  async function createEndpoint(name: string, settings: object = {}): Promise<string> {
    const body = { name, url: `${real.url}/${name}`, ...settings };
    return (await call<{ endpoint: { id: string } }>('/v1/endpoints', body)).endpoint.id;
  }

  const subscribe = (endpointId: string, eventName: string, more: object = {}) =>
    call<{ id: string }>('/v1/subscriptions', { endpointId, eventName, ...more });

  async function listen(...args: string[]): Promise<RunningProcess> {
    const all = ['listen', '--secret', secret, '--json', ...args];
    const running = await startPosthaste(all, env, /forwarding/);
    onTestFinished(async () => void (await running.close()));
    return running;
  }

  async function startLocal(script: Parameters<typeof startReceiver>[0] = 200): Promise<Receiver> {
    const local = await startReceiver(script);
    onTestFinished(() => local.close());
    return local;
  }

  function isSigned({ headers, body }: Received): boolean {
    const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const expected = `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
    return headers['webhook-signature'] === expected;
  }

  const payloadOf = ({ body }: Received) => JSON.parse(String(body)).payload;

  /** Returns the requests without those that came again. */
  function once(requests: readonly Received[]): Received[] {
    const seen = new Map(requests.map((each) => [each.headers['webhook-id'], each]));
    for (const each of requests.toReversed()) seen.set(each.headers['webhook-id'], each);
    return [...seen.values()];
  }

  it('forwards 500 callbacks, signed and in order, over a gateway that is killed and restarted', async () => {
    const keys = Array.from({ length: 10 }, (_, n) => `key ${n}`);
    const perKey = 50;
    const endpointId = await createEndpoint('orders', { order: 'key' });
    await subscribe(endpointId, 'order.*');
    const local = await startLocal();
    const listener = await listen('--endpoint', endpointId, '--forward-to', `${local.url}/hook`);
    const restart = (async () => {
      await local.waitFor(60, waitOptions.timeout);
      await gateway.kill();
      await sleep(500);
      gateway = await startGateway();
    })();
    await Promise.all(
      keys.map(async (key) => {
        for (let n = 0; n < perKey; n += 1) {
          const id = `${key}-${n}`;
          await publish({ topic: 'orders', name: 'order.placed', key, id, payload: { key, n } });
        }
      }),
    );
    await restart;
    await expect.poll(() => once(local.requests).length, waitOptions).toBe(500);
    expect(local.requests.filter((each) => !isSigned(each))).toEqual([]);
    for (const key of keys) {
      const arrived = once(local.requests).map(payloadOf);
      const numbers = arrived.filter((each) => each.key === key).map(({ n }) => n);
      expect(numbers).toEqual(Array.from({ length: perKey }, (_, n) => n));
    }
    expect(listener.output).toMatch(/ended the connection; trying again|does not answer/);
    // The real receiver got everything too, with the same bodies.
    await expect.poll(() => once(real.requests).length, waitOptions).toBe(500);
    const bodies = (requests: readonly Received[]) =>
      once(requests)
        .map(({ body }) => String(body))
        .toSorted();
    expect(bodies(local.requests)).toEqual(bodies(real.requests));
  }, 300_000);

  it('forwards a topic, and only events with the name', async () => {
    await publish({ topic: 'news', name: 'before.start' });
    const local = await startLocal();
    const args = ['--topic', 'news', '--name', 'news.*', '--forward-to', local.url];
    await listen(...args);
    await publish({ topic: 'news', name: 'other.one' });
    await publish({ topic: 'news', name: 'news.one', payload: { n: 1 } });
    const [request] = await local.waitFor(1, waitOptions.timeout);
    expect(request && isSigned(request)).toBe(true);
    expect(payloadOf(request as Received)).toEqual({ n: 1 });
    expect(local.requests).toHaveLength(1);
  });

  it('forwards one subscription in the format of its endpoint, of a topic that is new, too', async () => {
    const headers = { 'x-tenant': 'shop', authorization: 'secret of the endpoint' };
    const settings = { eventFormat: 'cloudevents-binary', headers };
    const endpointId = await createEndpoint('bills', settings);
    const { id } = await subscribe(endpointId, 'bill.*', {
      filter: { properties: { total: { minimum: 10 } } },
    });
    await subscribe(endpointId, 'quote.*');
    const local = await startLocal();
    await listen('--subscription', id, '--forward-to', local.url);
    await publish({ topic: 'bills', name: 'bill.sent', payload: { total: 3 } });
    await publish({ topic: 'quotes', name: 'quote.sent', payload: { total: 30 } });
    await publish({ topic: 'bills', name: 'bill.sent', payload: { total: 30 } });
    const [request] = await local.waitFor(1, waitOptions.timeout);
    expect(request).toMatchObject({
      headers: {
        'ce-type': 'bill.sent',
        'content-type': 'application/json',
        'user-agent': 'Posthaste',
      },
      body: Buffer.from('{"total":30}'),
    });
    expect(request?.headers.authorization).toBeUndefined();
    expect(local.requests).toHaveLength(1);
  });

  it('tries again in order while the local receiver fails, or gives up at once with --no-retry', async () => {
    const endpointId = await createEndpoint('tries', { order: 'key' });
    await subscribe(endpointId, 'try.*');
    const failing = await startLocal([500, 500, 200]);
    const strict = await startLocal(500);
    const first = await listen('--endpoint', endpointId, '--forward-to', failing.url);
    const second = await listen('--endpoint', endpointId, '--no-retry', '--forward-to', strict.url);
    for (const n of [1, 2]) {
      await publish({ topic: 'tries', name: 'try.it', key: 'k', payload: { n } });
    }
    await failing.waitFor(4, waitOptions.timeout);
    expect(failing.requests.map((each) => payloadOf(each).n)).toEqual([1, 1, 1, 2]);
    await strict.waitFor(2, waitOptions.timeout);
    expect(strict.requests.map((each) => payloadOf(each).n)).toEqual([1, 2]);
    await expect
      .poll(() => first.output, waitOptions)
      .toMatch(/"status":500,"error":null,"retryInMs":\d/);
    expect(second.output).toMatch(/"status":500,"error":null,"retryInMs":null/);
    expect(await first.terminate()).toMatchObject({ code: 0 });
  });

  it('says what the gateway refuses, and which arguments are missing', async () => {
    const to = ['--forward-to', 'http://127.0.0.1:9/'];
    const id = '01890000-0000-7000-8000-000000000000';
    const unknown = await posthaste(['listen', '--endpoint', id, ...to], env);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining(`no endpoint ${id}`),
    ]);
    expect(await posthaste(['listen', ...to], env)).toMatchObject({ code: 64 });
    expect(await posthaste(['listen', '--topic', 't'], env)).toMatchObject({ code: 64 });
    const away = { ...env, POSTHASTE_URL: 'http://127.0.0.1:9' };
    expect(await posthaste(['listen', '--topic', 't', ...to], away)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not answer'),
    });
  });
});

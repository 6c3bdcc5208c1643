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
});

import { once } from 'node:events';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { rawConnection } from '../../test/raw-connection.js';
import { realtimeFile, type TestRealtime, useGateways } from '../../test/test-realtime.js';
import { OperationCounts } from './operation-limits.js';

const origin = 'https://app.example.com';
const realtimeOnly = ['realtime:subscribe', 'realtime:publish'] as const;

/** Options of a post to `/event`. */
interface Post {
  readonly key: string;
  readonly events?: number;
  readonly headers?: Record<string, string>;
}

describeWithPostgres('limits of realtime operations', () => {
  const gateways = useGateways();

  async function open(environment: Record<string, string>, file = {}): Promise<TestRealtime> {
    return gateways.open(environment, await realtimeFile(file));
  }

  async function post(gateway: TestRealtime, { key, events = 1, headers }: Post): Promise<string> {
    const response = await fetch(`${gateway.gateway.url}/event`, {
      method: 'POST',
      headers: { 'x-api-key': key, ...headers },
      body: JSON.stringify({
        channel: '/default/a',
        events: Array.from({ length: events }, () => '1'),
      }),
    });
    const { errors } = (await response.json()) as { errors?: { errorType: string }[] };
    return `${response.status} ${errors?.[0]?.errorType ?? ''}`.trim();
  }

  it('count each operation of a key as a request, and those of another key by themselves', async () => {
    const gateway = await open({ POSTHASTE_RATE_LIMIT: '5' });
    const [one, two] = [await gateway.createKey(), await gateway.createKey()];
    const client = await gateway.connect(one);
    // Even a slow machine takes no ten seconds for these.
    const subscribing = Array.from(
      { length: 60 },
      (_, i) => client.subscribe(`/default/${i}`).ready,
    );
    const results = await Promise.allSettled(subscribing);
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? result.reason : [],
    );
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ errors: [{ errorType: 'LimitExceededError' }] });
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    const posts = await Promise.all(Array.from({ length: 60 }, () => post(gateway, { key: one })));
    expect(new Set(posts)).toContain('429 LimitExceededError');
    expect(await post(gateway, { key: two })).toBe('200');
  });

  it('count events for the application, and not for another one', async () => {
    const gateway = await open({ POSTHASTE_APPLICATION_MAX_EVENTS: '5' });
    const shop = await gateway.createKey();
    const game = await gateway.createKey({ applications: ['game'] });
    const fives = Array.from({ length: 30 }, () => post(gateway, { key: shop, events: 5 }));
    expect(new Set(await Promise.all(fives))).toEqual(new Set(['200', '429 LimitExceededError']));
    expect(await post(gateway, { key: game, events: 5 })).toBe('200');
  });

  it('count a principal of an issuer by mode and name, whatever the name is', () => {
    const counts = new OperationCounts();
    const counted: string[] = [];
    const takeByKey = ({ id }: { id: string }): boolean => counted.push(id) > 0;
    const limiter = { takeByKey, hasLeftForAddress: () => true, takeByAddress: () => true };
    counts.limitBy({ limiter, applicationLimiter: { countOperation: () => undefined } });
    for (const mode of ['OPENID_CONNECT', 'API_KEY'] as const) {
      const identity = { mode, id: 'local', realm: 'shop' };
      counts.admit({ identity, operation: 'publish', events: 1 });
    }
    // The other one is a caller without a credential, whom nobody counts.
    expect(counted).toEqual(['OPENID_CONNECT shop local']);
  });

  it('are those of the file, as are the modes of namespaces without modes of their own', async () => {
    const limits = { subscriptionsPerConnection: 2, eventsPerPublish: 7 };
    const gateway = await open(
      {},
      { limits, defaultPublishAuthModes: ['OPENID_CONNECT', 'API_KEY'] },
    );
    const key = await gateway.createKey();
    const client = await gateway.connect(key);
    await client.subscribe('/default/a').ready;
    await client.subscribe('/default/b').ready;
    await expect(client.subscribe('/default/c').ready).rejects.toMatchObject({
      errors: [{ errorType: 'MaxSubscriptionsReachedError' }],
    });
    expect(await post(gateway, { key, events: 7 })).toBe('200');
    expect(await post(gateway, { key, events: 8 })).toBe('400 BadRequestException');
    const closed = await open({}, { defaultPublishAuthModes: ['OPENID_CONNECT'] });
    expect(await post(closed, { key })).toBe('403 UnauthorizedException');
  });

  it('count addresses for unknown credentials only', async () => {
    const gateway = await open({ POSTHASTE_RATE_LIMIT_WITHOUT_KEY: '3' });
    const key = await gateway.createKey();
    for (let i = 0; i < 20; i += 1) expect(await post(gateway, { key })).toBe('200');
    const guesses = Array.from({ length: 60 }, (_, i) => post(gateway, { key: `phk_guess${i}` }));
    const answers = new Set(await Promise.all(guesses));
    expect(answers).toEqual(new Set(['401 UnauthorizedException', '429 LimitExceededError']));
    expect(await post(gateway, { key })).toBe('200');
  });

  it('let keys of realtime only into pages of allowed origins, and no page of another', async () => {
    const gateway = await open({ POSTHASTE_CORS_ORIGINS: origin });
    const strong = await gateway.createKey();
    const weak = await gateway.createKey({ scopes: [...realtimeOnly] });
    expect(await post(gateway, { key: strong })).toBe('200');
    expect(await post(gateway, { key: weak, headers: { origin } })).toBe('200');
    expect(await post(gateway, { key: strong, headers: { origin } })).toBe(
      '403 UnauthorizedException',
    );
    const evil = { origin: 'https://evil.example.com' };
    expect(await post(gateway, { key: weak, headers: evil })).toBe('403 UnauthorizedException');

    const url = `${gateway.gateway.url.replace('http', 'ws')}/event/realtime`;
    const dial = (key: string, from: string): WebSocket => {
      const headers = Buffer.from(JSON.stringify({ 'x-api-key': key })).toString('base64url');
      const protocols = ['aws-appsync-event-ws', `header-${headers}`];
      const socket = new WebSocket(url, protocols, { origin: from });
      onTestFinished(() => socket.terminate());
      return socket;
    };
    const firstFrame = async (socket: WebSocket): Promise<unknown> => {
      socket.once('open', () => socket.send('{"type":"connection_init"}'));
      const [data] = await once(socket, 'message');
      return JSON.parse(String(data));
    };
    expect(await firstFrame(dial(weak, origin))).toMatchObject({ type: 'connection_ack' });
    expect(await firstFrame(dial(strong, origin))).toMatchObject({
      type: 'connection_error',
      errors: [{ errorType: 'UnauthorizedException', errorCode: 403 }],
    });
    const [error] = await once(dial(weak, evil.origin), 'error');
    expect(String(error)).toContain('403');
    // The key of an operation is looked at, too.
    const socket = dial(weak, origin);
    await firstFrame(socket);
    const authorization = { 'x-api-key': strong };
    socket.send(
      JSON.stringify({ type: 'subscribe', id: 's', channel: '/default/a', authorization }),
    );
    const frames: { type: string }[] = [];
    socket.on('message', (data) => frames.push(JSON.parse(String(data))));
    await expect
      .poll(() => frames.find(({ type }) => type !== 'ka'), { timeout: 30_000 })
      .toMatchObject({ type: 'subscribe_error', errors: [{ errorType: 'Forbidden' }] });
  });

  it('take headers of up to 32 KiB, and answer 431 to larger ones', async () => {
    const gateway = await open({});
    const key = await gateway.createKey();
    const large = (bytes: number) =>
      post(gateway, { key, headers: { 'x-large': 'x'.repeat(bytes) } });
    expect(await large(30_000)).toBe('200');
    const { port } = new URL(gateway.gateway.url);
    const raw = await rawConnection(Number(port));
    raw.write(
      `GET /event/realtime HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`,
    );
    expect(await raw.received).toMatch(/^HTTP\/1.1 431 /);
  });
});

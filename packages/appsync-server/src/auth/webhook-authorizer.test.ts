import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseChannel } from '@posthaste/contracts';
import { expect, it, onTestFinished } from 'vitest';
import type { AuthRequest, Identity } from './authorizer.js';
import {
  type AuthorizerEvent,
  createWebhookAuthorizer,
  type WebhookAuthorizerOptions,
} from './webhook-authorizer.js';
import { createWebhookCall, type WebhookHttp } from './webhook-call.js';

/** Client by the `fetch` of Node, in the shape of the egress client. */
const http: WebhookHttp = {
  async send({ url, method, headers, body, timeoutMs, maxResponseBytes }) {
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const init = { method, headers: headers.map(([a, b]) => [a, b] as [string, string]), signal };
      const response = await fetch(url, { ...init, body: new Uint8Array(body) });
      const bytes = new Uint8Array(await response.arrayBuffer());
      const truncated = bytes.length > maxResponseBytes;
      return { kind: 'response', statusCode: response.status, body: bytes, truncated, cut: false };
    } catch (error) {
      return { kind: 'failure', detail: String(error) };
    }
  },
};

type Answer = (event: AuthorizerEvent, response: ServerResponse) => unknown;

/** Starts an authorizer on HTTP, and creates one that asks it. */
async function open(answer: Answer, options: Partial<WebhookAuthorizerOptions> = {}) {
  const events: AuthorizerEvent[] = [];
  const requests: IncomingMessage[] = [];
  const server = createServer(async (request, response) => {
    const event = JSON.parse(await text(request)) as AuthorizerEvent;
    events.push(event);
    requests.push(request);
    const body = answer(event, response);
    if (body !== undefined) response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/authorize`;
  const ask = createWebhookCall({ url, http, headers: { 'x-secret': 's' } });
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const authorizer = createWebhookAuthorizer({ ask, onError, ...options });
  const authorize = async (request: AuthRequest): Promise<Identity> =>
    authorizer.authorize(request);
  return { events, requests, errors, authorizer, authorize };
}

const connect = (token: string): AuthRequest => ({
  operation: 'connect',
  headers: { authorization: token, 'x-custom': '1' },
  body: '{}',
});
const on = (path: string, operation: 'subscribe' | 'publish', token = 'good'): AuthRequest => ({
  ...connect(token),
  operation,
  channel: parseChannel(path),
});
const refused = { errorType: 'UnauthorizedException', errorCode: 401 };
const failed = { errorType: 'InternalFailureException', errorCode: 503 };

it('asks in the shape of a Lambda authorizer', async () => {
  const { events, requests, authorize, authorizer } = await open(
    ({ authorizationToken }) => ({
      isAuthorized: authorizationToken === 'good',
      handlerContext: { user: 'ann' },
    }),
    { realm: 'shop', apiId: 'api' },
  );
  const identity = await authorize(connect('good'));
  expect(identity).toMatchObject({
    mode: 'AWS_LAMBDA',
    realm: 'shop',
    handlerContext: { user: 'ann' },
  });
  expect(identity.id).not.toContain('good');
  await authorize(on('/chat/room/1', 'subscribe'));
  await authorize(on('/chat/room/1', 'publish'));
  await expect(authorize(connect('bad'))).rejects.toMatchObject(refused);
  expect(events[0]).toEqual({
    authorizationToken: 'good',
    requestContext: {
      apiId: 'api',
      accountId: '000000000000',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      operation: 'EVENT_CONNECT',
      channelNamespaceName: null,
      channel: null,
    },
    requestHeaders: { authorization: 'good', 'x-custom': '1' },
  });
  expect(events.slice(1, 3).map(({ requestContext }) => requestContext)).toMatchObject([
    { operation: 'EVENT_SUBSCRIBE', channelNamespaceName: 'chat', channel: '/chat/room/1' },
    { operation: 'EVENT_PUBLISH', channelNamespaceName: 'chat', channel: '/chat/room/1' },
  ]);
  expect(requests[0]?.headers).toMatchObject({
    'x-secret': 's',
    'content-type': 'application/json',
  });
  expect(authorizer.accepts({ authorization: 'AWS4-HMAC-SHA256 x' })).toBe(false);
  expect(authorizer.accepts({ 'x-api-key': 'k' })).toBe(false);
});

it('asks once for many that come at once, and again for another channel, operation or token', async () => {
  const { events, authorize } = await open(() => ({ isAuthorized: true }));
  const identities = await Promise.all(
    Array.from({ length: 50 }, () => authorize(connect('good'))),
  );
  expect(new Set(identities).size).toBe(1);
  expect(events).toHaveLength(1);
  const others = [on('/a/b', 'subscribe'), on('/a/b', 'publish'), on('/a/c', 'publish')];
  for (const other of others) expect(await authorize(other)).toBe(identities[0]);
  expect(await authorize(connect('other'))).not.toBe(identities[0]);
  expect(events).toHaveLength(5);
});

it('uses an answer for as long as it says, and a refusal too', async () => {
  let now = 0;
  const { events, authorize } = await open(
    ({ authorizationToken: token }) => ({
      isAuthorized: token !== 'bad',
      ...(token === 'good' ? {} : { ttlOverride: token === 'never' ? 0 : 10 }),
    }),
    { now: () => now, ttlSeconds: 100 },
  );
  const asked = async (token: string): Promise<number> => {
    const before = events.length;
    await authorize(connect(token)).catch(() => undefined);
    return events.length - before;
  };
  expect([await asked('good'), await asked('good')]).toEqual([1, 0]);
  expect([await asked('short'), await asked('short')]).toEqual([1, 0]);
  expect([await asked('bad'), await asked('bad')]).toEqual([1, 0]);
  expect([await asked('never'), await asked('never')]).toEqual([1, 1]);
  now = 10_000;
  expect([await asked('good'), await asked('short'), await asked('bad')]).toEqual([0, 1, 1]);
  now = 100_000;
  expect(await asked('good')).toBe(1);
});

it('refuses everything when the authorizer fails, and asks again', async () => {
  const bodies: unknown[] = [
    '',
    'true',
    { isAuthorized: 'true' },
    { isAuthorized: 1 },
    { isAuthorized: true, ttlOverride: 'x' },
    { isAuthorized: true, ttlOverride: -1 },
    { isAuthorized: true, handlerContext: { a: { b: 1 } } },
    [true],
    `{"isAuthorized":true,"pad":"${'x'.repeat(300_000)}"}`,
  ];
  let body: unknown;
  const { errors, authorize } = await open((_event, response) => {
    if (typeof body === 'number') response.statusCode = body;
    return typeof body === 'number' ? { isAuthorized: true } : body;
  });
  for (const each of [...bodies, 500, 302, 201]) {
    body = each;
    await expect(authorize(connect('good')), String(each)).rejects.toMatchObject(failed);
  }
  expect(errors).toHaveLength(bodies.length + 3);
  body = { isAuthorized: true, ttlOverride: null, handlerContext: null };
  await expect(authorize(connect('good'))).resolves.toBeDefined();
});

it('has a limited time, and no connection is a failure too', async () => {
  const { authorize } = await open(() => undefined, { timeoutMs: 50 });
  await expect(authorize(connect('good'))).rejects.toMatchObject(failed);
  const ask = createWebhookCall({ url: 'http://127.0.0.1:1/', http });
  const unreachable = createWebhookAuthorizer({ ask });
  await expect(unreachable.authorize(connect('good'))).rejects.toMatchObject(failed);
  const throwing = createWebhookAuthorizer({
    ask: () => {
      throw new Error('no');
    },
  });
  await expect(throwing.authorize(connect('good'))).rejects.toMatchObject(failed);
});

it('asks a limited number of questions at a time, and lets few callers wait', async () => {
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const ask = async (): Promise<unknown> => {
    running += 1;
    most = Math.max(most, running);
    await gate.promise;
    running -= 1;
    return { isAuthorized: true };
  };
  const authorizer = createWebhookAuthorizer({ ask, maxConcurrent: 3, timeoutMs: 60_000 });
  const waiting = Array.from({ length: 2_000 }, (_, n) => authorizer.authorize(connect(`t${n}`)));
  expect(() => authorizer.authorize(connect('one more'))).toThrow('Too many callers wait');
  gate.resolve();
  await Promise.all(waiting);
  expect(most).toBe(3);
});

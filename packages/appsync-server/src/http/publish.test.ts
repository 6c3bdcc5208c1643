import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { apiKeys, startRealtime } from '../../test/test-server.js';
import { RealtimeError } from '../index.js';

describe('POST /event', () => {
  it.each([
    ['no JSON', '{"channel":', '400 BadRequestException'],
    ['an array', [], '400 BadRequestException'],
    ['no channel', { events: ['1'] }, '400 BadRequestException'],
    ['a wildcard', { channel: '/default/*', events: ['1'] }, '400 BadRequestException'],
    ['no events', { channel: '/default/a' }, '400 BadRequestException'],
    [
      'an event that is no JSON',
      { channel: 'default', events: ['eventa'] },
      '400 BadRequestException',
    ],
    ['an unknown namespace', { channel: '/other/a', events: ['1'] }, '401 UnauthorizedException'],
  ])('refuses %s', async (_name, body, expected) => {
    const answer = await (await startRealtime()).post(body);
    const { errors } = (await answer.json()) as { errors: { errorType: string }[] };
    expect(`${answer.status} ${errors[0]?.errorType}`).toBe(expected);
  });

  it('refuses six events with the message of AWS', async () => {
    const answer = await (await startRealtime()).post({
      channel: 'default',
      events: Array(6).fill('1'),
    });
    expect(answer.status).toBe(400);
    const message = 'Input exceeded 5 event limit';
    expect(await answer.json()).toEqual({
      errors: [{ errorType: 'BadRequestException', message }],
    });
  });

  it('tells bad credentials (401) from good ones that are not enough (403)', async () => {
    const authorizers = [apiKeys({ key: {}, none: { mayUse: () => false } })];
    const namespaces = [
      { name: 'default' },
      { name: 'iam', publishAuthModes: ['AWS_IAM' as const] },
    ];
    const server = await startRealtime({ authorizers, namespaces });
    const body = { channel: '/default/a', events: ['1'] };
    const statusOf = async (sent: object, headers?: Record<string, string>) =>
      (await server.post(sent, headers)).status;
    expect(await statusOf(body, {})).toBe(401);
    expect(await statusOf(body, { 'x-api-key': 'wrong' })).toBe(401);
    expect(await statusOf(body, { 'x-api-key': 'none' })).toBe(403);
    expect(await statusOf({ ...body, channel: '/iam/a' })).toBe(403);
    expect(await statusOf(body)).toBe(200);
  });

  it('reads a body that is split inside a character', async () => {
    const server = await startRealtime();
    const client = await server.open();
    client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
    await client.next(({ type }) => type === 'subscribe_success');
    const body = Buffer.from(JSON.stringify({ channel: '/default/a', events: ['"€ größer 😀"'] }));
    const socket = connect(server.port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.write(
      `POST /event HTTP/1.1\r\nHost: a\r\nx-api-key: key\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    for (const byte of body) {
      await new Promise<void>((resolve) => socket.write(Buffer.of(byte), () => resolve()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const data = await client.next(({ type }) => type === 'data');
    expect(data.event).toBe('"€ größer 😀"');
    socket.destroy();
  });

  it('refuses a body that is too large, and other methods', async () => {
    const server = await startRealtime({ limits: { maxFrameBytes: 1_000 } });
    const large = await server.post({ channel: '/default/a', events: [`"${'x'.repeat(1_000)}"`] });
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ errors: [{ errorType: 'BadRequestException' }] });
    const get = await fetch(`http://127.0.0.1:${server.port}/event`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    const other = await fetch(`http://127.0.0.1:${server.port}/other`);
    expect(other.status).toBe(404);
  });

  it('takes a client that goes away within its body for no fault of the server', async () => {
    const errors: unknown[] = [];
    const registry = new Registry();
    const server = await startRealtime({ registry, onError: (error) => errors.push(error) });
    const socket = connect(server.port, '127.0.0.1');
    const head = 'POST /event HTTP/1.1\r\nHost: a\r\nx-api-key: key\r\nContent-Length: 100\r\n\r\n';
    const sent = new Promise<void>((resolve) => server.http.once('request', () => resolve()));
    socket.write(`${head}{`);
    await sent;
    socket.destroy();
    await expect.poll(() => registry.metrics()).toContain('publishes_refused_total 1');
    expect(errors).toEqual([]);
  });

  it('answers the preflight of browsers', async () => {
    const server = await startRealtime({ allowedOrigins: ['https://app.example'] });
    const preflight = (origin: string) =>
      fetch(`http://127.0.0.1:${server.port}/event`, { method: 'OPTIONS', headers: { origin } });
    const allowed = await preflight('https://app.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(allowed.headers.get('access-control-allow-headers')?.split(', ')).toEqual(
      expect.arrayContaining(['content-type', 'authorization', 'x-api-key', 'x-amz-user-agent']),
    );
    expect((await preflight('https://evil.example')).status).toBe(403);
    const ask = async (names: string) => {
      const headers = { 'access-control-request-headers': names };
      const url = `http://127.0.0.1:${server.port}/event`;
      const { headers: answered } = await fetch(url, { method: 'OPTIONS', headers });
      return answered.get('access-control-allow-headers');
    };
    const signed = 'authorization,content-encoding,x-amz-date,x-tenant';
    expect(await ask(signed)).toBe(signed);
    expect(await ask('a b;c')).toContain('x-api-key');
    const any = await (await startRealtime()).post({ channel: 'default', events: ['1'] });
    expect(any.headers.get('access-control-allow-origin')).toBe('*');
  });
});

it('reports an event that a handler inflates as failed, and delivers the other four', async () => {
  const namespaces = [
    {
      name: 'default',
      handlers: {
        onPublish: ({ events }: { events: readonly { id: string; payload: unknown }[] }) =>
          events.map((each) =>
            each.payload === 2 ? { ...each, payload: 'x'.repeat(250_000) } : each,
          ),
      },
    },
  ];
  const server = await startRealtime({ namespaces });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  client.send({
    type: 'publish',
    id: 'p',
    channel: '/default/a',
    events: ['0', '1', '2', '3', '4'],
  });
  const answer = await client.next(({ id }) => id === 'p');
  expect(answer).toMatchObject({
    type: 'publish_success',
    successful: [{ index: 0 }, { index: 1 }, { index: 3 }, { index: 4 }],
    failed: [{ index: 2, code: 'EventTooLargeException' }],
  });
  const data = () => client.frames.filter(({ type }) => type === 'data').map(({ event }) => event);
  await expect.poll(data).toEqual(['0', '1', '3', '4']);
});

it('gives refusals of handlers to the client, and faults of handlers only to onError', async () => {
  const errors: unknown[] = [];
  const namespaces = [
    {
      name: 'default',
      handlers: {
        onPublish: () => {
          throw new Error('secret of the handler');
        },
        onSubscribe: ({ unauthorized }: { unauthorized(): never }) => unauthorized(),
      },
    },
  ];
  const server = await startRealtime({ namespaces, onError: (error) => errors.push(error) });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  expect(await client.next(({ id }) => id === 's')).toMatchObject({
    type: 'subscribe_error',
    errors: [{ errorType: 'Forbidden' }],
  });
  const answer = await server.post({ channel: '/default/a', events: ['1'] });
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('secret');
  expect(errors).toEqual([expect.objectContaining({ message: 'secret of the handler' })]);
  const strict = await startRealtime({ namespaces, strictAws: true });
  const other = await strict.open();
  other.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  const refused = await other.next(({ id }) => id === 's');
  expect(refused).toMatchObject({ errors: [{ errorType: 'Unauthorized' }] });
});

it('answers publish_error while the broker cannot store, and delivers what is not durable', async () => {
  const errors: unknown[] = [];
  const broker = {
    epoch: 'e',
    position: 0n,
    start: async () => undefined,
    append: async () => {
      throw new Error('database is away');
    },
    broadcast: () => undefined,
    reach: async () => false,
    findMissed: async () => undefined,
    close: async () => undefined,
  };
  const server = await startRealtime({ broker, onError: (error) => errors.push(error) });
  const client = await server.open();
  client.send({ type: 'publish', id: 'p', channel: '/stored/a', events: ['1'] });
  expect(await client.next(({ id }) => id === 'p')).toMatchObject({
    type: 'publish_error',
    errors: [{ errorType: 'InternalFailureException' }],
  });
  expect((await server.post({ channel: '/stored/a', events: ['1'] })).status).toBe(500);
  expect(errors).toHaveLength(2);
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  client.send({ type: 'publish', id: 'q', channel: '/default/a', events: ['2'] });
  await client.next(({ type }) => type === 'data');
});

it('measures connections, publishes, messages and latency', async () => {
  const registry = new Registry();
  const server = await startRealtime({ registry });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/*' });
  client.send({ type: 'publish', id: 'p', channel: '/default/a', events: ['1', '2'] });
  client.send({ type: 'publish', id: 'q', channel: '/stored/a', events: ['1'] });
  client.send({ type: 'publish', id: 'r', channel: '/other/a', events: ['1'] });
  await client.next(({ id }) => id === 'q');
  await expect.poll(() => registry.metrics()).toContain('delivery_seconds_count 2');
  const text = await registry.metrics();
  for (const line of [
    'posthaste_realtime_connections 1',
    'posthaste_realtime_subscriptions 1',
    'posthaste_realtime_messages_total 2',
    'posthaste_realtime_slow_consumers_total 0',
    'posthaste_realtime_publishes_total{namespace="default"} 1',
    'posthaste_realtime_publishes_total{namespace="stored"} 1',
    'posthaste_realtime_publishes_refused_total 1',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).toMatch(/sent_bytes_total [1-9]/);
});

it('knows what is subscribed, and delivers for its owner', async () => {
  const server = await startRealtime();
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/stored/*' });
  await client.next(({ type }) => type === 'subscribe_success');
  const { realtime } = server;
  expect(realtime.channels('')).toEqual([{ channel: '/stored/*', subscribers: 1 }]);
  expect(realtime.channels('other')).toEqual([]);
  const channel = {
    path: '/stored/a',
    segments: ['stored', 'a'] as [string, string],
    isWildcard: false,
  };
  expect(realtime.hasSubscribers('', channel)).toBe(true);
  expect(realtime.hasSubscribers('other', channel)).toBe(false);
  await realtime.publish({ realm: '', channel, events: [{ id: '1', event: '"published"' }] });
  await client.next(({ event }) => event === '"published"');
  realtime.deliver({ realm: 'other', channel, events: [{ id: '2', event: '"elsewhere"' }] });
  realtime.deliver({ realm: '', channel, events: [{ id: '3', event: '"delivered"' }] });
  await client.next(({ event }) => event === '"delivered"');
  expect(client.frames.filter(({ type }) => type === 'data')).toHaveLength(2);
  expect(new RealtimeError('A', 1).toEntry()).toEqual({ errorType: 'A', errorCode: 1 });
});

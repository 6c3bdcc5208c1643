import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { apiKeys, startRealtime } from '../../test/test-server.js';
import type { Identity } from '../auth/authorizer.js';

const ofType = (wanted: string) => (frame: { type: string }) => frame.type === wanted;

/** Upgrades by hand. The socket answers neither pings nor the frame of type close. */
async function connectSilently(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(
    'GET /event/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
      'Sec-WebSocket-Protocol: aws-appsync-event-ws\r\nx-api-key: key\r\n\r\n',
  );
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  return socket;
}

it('sends a ka at once, and then in every interval', async () => {
  const server = await startRealtime({ keepAliveMs: 100 });
  const client = await server.open();
  await expect.poll(() => client.frames.filter(ofType('ka')).length).toBeGreaterThan(4);
  expect(client.frames.slice(0, 2).map(({ type }) => type)).toEqual(['connection_ack', 'ka']);
});

it('spreads the ka of connections that came together over the interval', async () => {
  const server = await startRealtime({ keepAliveMs: 2_000 });
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.open()));
  const arrivals: number[] = [];
  for (const client of clients) {
    client.socket.on('message', () => arrivals.push(performance.now()));
  }
  await expect.poll(() => arrivals.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(20);
  const [first = 0] = arrivals;
  const at = arrivals.slice(0, 20).map((arrival) => Math.round((arrival - first) / 100));
  expect(new Set(at).size).toBeGreaterThan(4);
});

it('finds peers that are dead, and keeps those that only answer pings', async () => {
  const server = await startRealtime({ keepAliveMs: 200 });
  const alive = await server.open();
  const silent = await connectSilently(server.port);
  const gone = new Promise<void>((resolve) => silent.on('close', () => resolve()));
  await expect.poll(() => server.realtime.counts().connections).toBe(2);
  silent.pause();
  await expect.poll(() => server.realtime.counts().connections).toBe(1);
  silent.resume();
  await gone;
  const before = alive.frames.length;
  await expect.poll(() => alive.frames.length).toBeGreaterThan(before + 3);
  expect(alive.closed).toBeUndefined();
});

it('closes a connection at the end of its longest life', async () => {
  const limits = { maxConnectionMs: 300 };
  const server = await startRealtime({ keepAliveMs: 100, limits });
  const client = await server.open();
  expect(await client.end()).toMatchObject({ code: 1001 });
});

it('closes a refused connection that says nothing', async () => {
  const server = await startRealtime({ keepAliveMs: 100 });
  const client = await server.connect({ credential: {} });
  expect(await client.end()).toMatchObject({ code: 1008 });
  expect(client.frames).toEqual([]);
});

it('drains evenly with 1001, answers publishes meanwhile, and lets nobody in', async () => {
  const server = await startRealtime();
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.open()));
  const closedAt: number[] = [];
  for (const client of clients) client.socket.on('close', () => closedAt.push(performance.now()));
  const last = clients.at(-1);
  last?.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  await last?.next(ofType('subscribe_success'));
  const startedAt = performance.now();
  const closing = server.realtime.close({ drainMs: 2_000 });
  await expect(server.connect()).rejects.toThrow('503');
  expect((await server.post({ channel: '/default/a', events: ['1'] })).status).toBe(200);
  last?.send({ type: 'publish', id: 'p', channel: '/default/a', events: ['2'] });
  await last?.next(({ event }) => event === '2');
  expect(last?.frames.filter(ofType('data')).map(({ event }) => event)).toEqual(['1', '2']);
  await closing;
  const ends = await Promise.all(clients.map((client) => client.end()));
  expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([1001]));
  expect(closedAt.at(-1)).toBeGreaterThan(startedAt + 1_500);
  const early = closedAt.filter((at) => at < startedAt + 1_000);
  expect(early.length).toBeLessThan(15);
  expect(server.realtime.close()).toBe(closing);
});

it('stops delivery at the moment a key is found revoked, and closes with 1008', async () => {
  const keys: Record<string, Partial<Identity>> = { key: {}, other: {} };
  const server = await startRealtime({ authorizers: [apiKeys(keys)] });
  const revoked = await server.open();
  const other = await server.open({ credential: { 'x-api-key': 'other' } });
  for (const client of [revoked, other]) {
    client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
    await client.next(ofType('subscribe_success'));
  }
  delete keys.key;
  expect(await revoked.end()).toMatchObject({ code: 1008 });
  await server.post({ channel: '/default/a', events: ['1'] }, { 'x-api-key': 'other' });
  await other.next(ofType('data'));
  expect(revoked.frames.filter(ofType('data'))).toEqual([]);
});

it('accepts and delivers nothing after the expiry of a credential, and closes within 5 s', async () => {
  const expiresAt = Date.now() + 1_000;
  const server = await startRealtime({ authorizers: [apiKeys({ key: { expiresAt }, other: {} })] });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  await client.next(ofType('subscribe_success'));
  const sent: number[] = [];
  const received: { event: number; at: number }[] = [];
  client.socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString());
    if (frame.type === 'data') received.push({ event: Number(frame.event), at: Date.now() });
  });
  while (!client.closed) {
    sent.push(Date.now());
    await server.post(
      { channel: '/default/a', events: [`${Date.now()}`] },
      { 'x-api-key': 'other' },
    );
  }
  expect(client.closed).toMatchObject({ code: 1008 });
  expect(Date.now()).toBeLessThan(expiresAt + 5_000);
  expect(received.length).toBeGreaterThan(0);
  // `event` is the time before the publish, so none may be from after the expiry.
  expect(received.filter(({ event }) => event >= expiresAt)).toEqual([]);
  expect(sent.some((at) => at < expiresAt)).toBe(true);
});

it('refuses operations under an expired credential of the connect, and keeps what has its own', async () => {
  const expiresAt = Date.now() + 1_000;
  const server = await startRealtime({ authorizers: [apiKeys({ key: { expiresAt }, own: {} })] });
  const client = await server.open();
  const authorization = { 'x-api-key': 'own' };
  client.send({ type: 'subscribe', id: 's', channel: '/default/a', authorization });
  await client.next(ofType('subscribe_success'));
  await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(expiresAt + 1_500);
  client.send({ type: 'publish', id: 'p', channel: '/default/a', events: ['1'] });
  const key = { 'x-api-key': 'key' };
  client.send({
    type: 'publish',
    id: 'q',
    channel: '/default/a',
    events: ['1'],
    authorization: key,
  });
  client.send({ type: 'publish', id: 'r', channel: '/default/a', events: ['2'], authorization });
  await client.next(({ event }) => event === '2');
  for (const id of ['p', 'q']) {
    expect(await client.next((frame) => frame.id === id)).toMatchObject({
      type: 'publish_error',
      errors: [{ errorType: 'UnauthorizedException' }],
    });
  }
  expect(client.frames.filter(ofType('data'))).toHaveLength(1);
  client.send({ type: 'unsubscribe', id: 's' });
  expect(await client.end()).toMatchObject({ code: 1008 });
});

import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { connectRaw, headerProtocol } from '../test/raw-client.js';
import { apiKeys, startRealtime } from '../test/test-server.js';
import { createRealtimeServer, type DeliveryChoice, parseChannel } from './index.js';

const key = { 'x-api-key': 'key' };

describe.each(['default', 'stored'])('the namespace %s', (namespace) => {
  it('delivers what is published over WebSocket and HTTP', async () => {
    const server = await startRealtime();
    const client = await server.open();
    await client.next((frame) => frame.type === 'ka');
    expect(client.frames[0]).toEqual({ type: 'connection_ack', connectionTimeoutMs: 300_000 });
    const channel = `/${namespace}/room`;
    client.send({ type: 'subscribe', id: 's', channel, authorization: key });
    await client.next((frame) => frame.type === 'subscribe_success');
    const events = ['{"n":1}', '"grüße \\u2028 € 😀"', '[true]'];
    client.send({ type: 'publish', id: 'p', channel, events, authorization: key });
    await expect.poll(() => client.frames.length).toBe(7);
    const [, , subscribed, published, ...data] = client.frames;
    expect(subscribed).toEqual({ type: 'subscribe_success', id: 's' });
    expect(published).toMatchObject({ type: 'publish_success', id: 'p', failed: [] });
    expect(data).toEqual(events.map((event) => ({ type: 'data', id: 's', event })));
    const answer = await server.post({ channel: channel.slice(1), events: ['7'] });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ successful: [{ index: 0 }], failed: [] });
    await client.next((frame) => frame.event === '7');
  });
});

it('selects its subprotocol and never echoes the credential', async () => {
  const server = await startRealtime();
  const header = headerProtocol(key);
  const client = await server.connect({ protocols: [header, 'aws-appsync-event-ws'] });
  expect(client.protocol).toBe('aws-appsync-event-ws');
});

it('answers the first frame of bad credentials with connection_error, then closes', async () => {
  const server = await startRealtime();
  const client = await server.connect({ credential: { 'x-api-key': 'other' } });
  client.send({ type: 'subscribe', id: 's', channel: '/default/a', authorization: key });
  expect(await client.end()).toMatchObject({ code: 1008 });
  expect(client.frames).toEqual([
    {
      type: 'connection_error',
      errors: [expect.objectContaining({ errorType: 'UnauthorizedException', errorCode: 401 })],
    },
  ]);
});

it('shares the server of Fastify with its routes, under a path of its own', async () => {
  const app = Fastify();
  app.post('/event', async ({ body }) => ({ fastify: body }));
  const realtime = createRealtimeServer({
    authorizers: [apiKeys({ key: {} })],
    namespaces: [{ name: 'default' }],
    path: '/live',
  });
  realtime.attach(app.server);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const client = await connectRaw({ port: Number(new URL(url).port), path: '/live/realtime' });
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  await client.next(({ type }) => type === 'subscribe_success');
  const post = (path: string) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { ...key, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: '/default/a', events: ['1'] }),
    });
  expect((await post('/live')).status).toBe(200);
  await client.next(({ event }) => event === '1');
  const events = ['1'];
  expect(await (await post('/event')).json()).toEqual({
    fastify: { channel: '/default/a', events },
  });
  await realtime.close({ drainMs: 0 });
  await app.close();
});

it('delivers to the subscribers that are chosen, by the depth of wildcards and by principal', async () => {
  const server = await startRealtime({ authorizers: [apiKeys({ key: {}, other: {} })] });
  const client = await server.open();
  const channels = ['/default/a/b/c', '/default/a/b/*', '/default/*'];
  for (const [index, channel] of channels.entries()) {
    client.send({ type: 'subscribe', id: `${index}`, channel, authorization: key });
  }
  const authorization = { 'x-api-key': 'other' };
  client.send({ type: 'subscribe', id: 'other', channel: '/default/*', authorization });
  await client.next(({ type, id }) => type === 'subscribe_success' && id === 'other');
  const channel = parseChannel('/default/a/b/c');
  if (channel === undefined) throw new Error('no channel');
  const deliver = (event: string, choice?: DeliveryChoice) =>
    server.realtime.deliver({ realm: '', channel, events: [{ id: event, event }] }, choice);
  deliver('1', { wildcardDepth: Number.POSITIVE_INFINITY });
  deliver('2', { wildcardDepth: 3 });
  deliver('3', { isFor: ({ id }) => id === 'other' });
  deliver('4');
  await client.next(({ id, event }) => id === 'other' && event === '4');
  const data = client.frames.filter(({ type }) => type === 'data');
  const seen = data.map(({ id, event }) => `${event} ${id}`).toSorted();
  expect(seen).toEqual(['1 0', '2 0', '2 1', '3 other', '4 0', '4 1', '4 2', '4 other']);
});

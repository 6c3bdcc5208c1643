import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { connectRaw, headerProtocol } from '../test/raw-client.js';
import { apiKeys, startRealtime } from '../test/test-server.js';
import { createRealtimeServer } from './index.js';

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

import { describe, expect, it } from 'vitest';
import { headerProtocol } from '../test/raw-client.js';
import { startRealtime } from '../test/test-server.js';

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

import { signRequest } from '@aws-amplify/core/internals/aws-client-utils';
import { expect, it } from 'vitest';
import { startRealtime } from '../../test/test-server.js';
import {
  type AuthorizerEvent,
  createApiKeyAuthorizer,
  createIamAuthorizer,
  createRealtimeServer,
  createWebhookAuthorizer,
} from '../index.js';

const iamKey = { accessKeyId: 'AKID', secretAccessKey: 'secret' };

function sign(body: string): Record<string, string> {
  const url = new URL('https://abc.appsync-api.eu-west-1.amazonaws.com/event');
  const request = { url, method: 'POST', headers: { accept: 'application/json' }, body };
  const { headers } = signRequest(request, {
    credentials: iamKey,
    signingRegion: 'eu-west-1',
    signingService: 'appsync',
  });
  return headers as Record<string, string>;
}

it('uses another mode for each operation of one connection', async () => {
  const authorizers = [createApiKeyAuthorizer(['key']), createIamAuthorizer({ keys: [iamKey] })];
  const server = await startRealtime({ authorizers });
  const client = await server.open({ credential: sign('{}') });
  const channel = '/default/a';
  const authorization = sign(JSON.stringify({ channel }));
  client.send({ type: 'subscribe', id: 's', channel, authorization });
  await client.next(({ type }) => type === 'subscribe_success');
  // A signature is for one body: that of the subscribe is none for a publish.
  client.send({ type: 'publish', id: 'p', channel, events: ['1'], authorization });
  const error = await client.next(({ id }) => id === 'p');
  expect(error).toMatchObject({
    type: 'publish_error',
    errors: [{ errorType: 'UnauthorizedException' }],
  });
  const events = ['{"é":"/"}', '2'];
  const body = JSON.stringify({ channel, events });
  client.send({ type: 'publish', id: 'q', channel, events, authorization: sign(body) });
  await client.next(({ type }) => type === 'publish_success');
  const key = { 'x-api-key': 'key' };
  client.send({ type: 'publish', id: 'r', channel, events: ['3'], authorization: key });
  await expect
    .poll(() => client.frames.filter(({ type }) => type === 'data').map(({ event }) => event))
    .toEqual([...events, '3']);
});

it('asks a webhook authorizer about each channel, also if the frame has no credential', async () => {
  const asked: AuthorizerEvent[] = [];
  const ask = async (event: AuthorizerEvent) => {
    asked.push(event);
    return { isAuthorized: event.requestContext.channel !== '/default/secret' };
  };
  const server = await startRealtime({ authorizers: [createWebhookAuthorizer({ ask })] });
  const credential = { authorization: 'token' };
  const client = await server.open({ credential });
  const subscribe = (id: string, channel: string, authorization?: object) =>
    client.send({ type: 'subscribe', id, channel, authorization });
  subscribe('a', '/default/secret', credential);
  subscribe('b', '/default/secret');
  subscribe('c', '/default/open');
  subscribe('d', '/default/open', credential);
  const last = await client.next(({ id }) => id === 'd');
  expect(last).toEqual({ type: 'subscribe_success', id: 'd' });
  const answers = client.frames.filter(({ id }) => id !== undefined);
  expect(answers.map(({ id, type }) => `${String(id)} ${type}`)).toEqual([
    'a subscribe_error',
    'b subscribe_error',
    'c subscribe_error',
    'd subscribe_success',
  ]);
  expect(asked.map(({ requestContext }) => requestContext.channel)).toEqual([
    null,
    '/default/secret',
    '/default/open',
  ]);
});

it('refuses at its start a namespace that could never publish', () => {
  const create = (namespace: object) => () =>
    createRealtimeServer({ authorizers: [], namespaces: [namespace as { name: string }] });
  for (const namespace of [
    { name: 'a/b' },
    { name: 'a', schema: { pattern: '(a+)+$' } },
    { name: 'a', history: -1 },
    { name: 'a', publishAuthModes: ['PASSWORD'] },
  ]) {
    expect(create(namespace)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  }
});

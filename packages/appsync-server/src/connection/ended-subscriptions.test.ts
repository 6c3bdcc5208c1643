import { expect, it } from 'vitest';
import type { RawClient } from '../../test/raw-client.js';
import { apiKeys, startRealtime } from '../../test/test-server.js';
import type { Namespace } from '../index.js';

/** Namespaces that a test changes. */
function createDirectory(...names: string[]) {
  const namespaces = new Map<string, Namespace>();
  for (const name of names) namespaces.set(name, { name, durable: false });
  return { namespaces, find: (_realm: string, name: string) => namespaces.get(name) };
}

async function subscribe(client: RawClient, id: string, channel: string): Promise<void> {
  client.send({ type: 'subscribe', id, channel });
  await client.next((frame) => frame.id === id && frame.type === 'subscribe_success');
}

const endOf = (client: RawClient, id: string) =>
  client.next((frame) => frame.id === id && frame.type === 'subscribe_error');

it('ends the subscriptions of a removed namespace with an error, and no others', async () => {
  const directory = createDirectory('chat', 'default');
  const server = await startRealtime({ namespaces: directory });
  const [client, other] = await Promise.all([server.open(), server.open()]);
  await subscribe(client, 'exact', '/chat/room');
  await subscribe(client, 'wildcard', '/chat/*');
  await subscribe(client, 'kept', '/default/room');
  await subscribe(other, 'exact', '/chat/room');
  directory.namespaces.delete('chat');
  server.realtime.onNamespacesChanged();
  const error = { errorType: 'ResourceNotFound', message: "The namespace 'chat' was removed." };
  expect(await endOf(client, 'exact')).toMatchObject({ errors: [error] });
  expect(await endOf(client, 'wildcard')).toMatchObject({ errors: [error] });
  expect(await endOf(other, 'exact')).toMatchObject({ errors: [error] });
  expect(server.realtime.allChannels()).toEqual([
    { realm: '', channel: '/default/room', subscribers: 1 },
  ]);
  expect((await server.post({ channel: '/default/room', events: ['1'] })).status).toBe(200);
  await client.next((frame) => frame.type === 'data' && frame.id === 'kept');
  expect(other.closed).toBeUndefined();
});

it('frees the id of an ended subscription, which then is unknown', async () => {
  const directory = createDirectory('chat');
  const server = await startRealtime({
    namespaces: directory,
    limits: { subscriptionsPerConnection: 1 },
  });
  const client = await server.open();
  await subscribe(client, 's', '/chat/a');
  directory.namespaces.delete('chat');
  server.realtime.onNamespacesChanged();
  await endOf(client, 's');
  client.send({ type: 'unsubscribe', id: 's' });
  expect(await client.next(({ type }) => type === 'unsubscribe_error')).toMatchObject({
    errors: [{ errorType: 'UnknownOperationError' }],
  });
  directory.namespaces.set('chat', { name: 'chat', durable: false });
  await subscribe(client, 't', '/chat/a');
  expect(server.realtime.counts().subscriptions).toBe(1);
});

it('ends the subscriptions of modes that a namespace no longer lets in', async () => {
  const directory = createDirectory('chat', 'open');
  const server = await startRealtime({
    namespaces: directory,
    authorizers: [apiKeys({ key: {} })],
  });
  const client = await server.open();
  await subscribe(client, 's', '/chat/a');
  await subscribe(client, 't', '/open/a');
  directory.namespaces.set('open', { name: 'open', subscribeAuthModes: ['API_KEY', 'AWS_IAM'] });
  directory.namespaces.set('chat', { name: 'chat', subscribeAuthModes: ['AWS_IAM'] });
  // Several changes at once are looked at together.
  server.realtime.onNamespacesChanged();
  server.realtime.onNamespacesChanged();
  expect(await endOf(client, 's')).toMatchObject({
    errors: [{ errorType: 'Forbidden' }],
  });
  expect(server.realtime.allChannels()).toMatchObject([{ channel: '/open/a' }]);
});

it('ends the subscriptions of users to channels that are no longer theirs', async () => {
  const directory = createDirectory('chat');
  const server = await startRealtime({
    namespaces: directory,
    authorizers: [apiKeys({ key: { mode: 'OPENID_CONNECT', id: 'ann' }, backend: {} })],
  });
  const [ann, backend] = await Promise.all([
    server.open(),
    server.open({ credential: { 'x-api-key': 'backend' } }),
  ]);
  await subscribe(ann, 'own', '/chat/ann');
  await subscribe(ann, 'other', '/chat/bob');
  await subscribe(ann, 'all', '/chat/*');
  await subscribe(backend, 'all', '/chat/*');
  directory.namespaces.set('chat', { name: 'chat', durable: false, ownChannels: '/chat/{sub}' });
  server.realtime.onNamespacesChanged();
  for (const id of ['other', 'all']) {
    expect(await endOf(ann, id)).toMatchObject({ errors: [{ errorType: 'Forbidden' }] });
  }
  expect(server.realtime.allChannels()).toMatchObject([
    { channel: '/chat/ann', subscribers: 1 },
    { channel: '/chat/*', subscribers: 1 },
  ]);
});

it('refuses a subscriber whose namespace is removed while its handler runs', async () => {
  const directory = createDirectory();
  const entered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const onSubscribe = () => {
    entered.resolve();
    return released.promise;
  };
  directory.namespaces.set('chat', { name: 'chat', handlers: { onSubscribe } });
  const server = await startRealtime({ namespaces: directory });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/chat/a' });
  await entered.promise;
  directory.namespaces.delete('chat');
  server.realtime.onNamespacesChanged();
  released.resolve();
  expect(await endOf(client, 's')).toMatchObject({ errors: [{ errorType: 'ResourceNotFound' }] });
  expect(server.realtime.allChannels()).toEqual([]);
});

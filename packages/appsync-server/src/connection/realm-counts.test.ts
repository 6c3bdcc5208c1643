import { expect, it } from 'vitest';
import { apiKeys, startRealtime } from '../../test/test-server.js';

const wait = { timeout: 30_000 };
const realms = apiKeys({ shop: { realm: 'shop' }, game: { realm: 'game' } });
const keyOf = (realm: string) => ({ credential: { 'x-api-key': realm } });
const overLimit = { errors: [{ errorType: 'LimitExceededError' }] };

it('limits the connections of a realm, and of no other', async () => {
  const limits = { connectionsPerRealm: 2 };
  const server = await startRealtime({ authorizers: [realms], limits });
  const [first] = [await server.open(keyOf('shop')), await server.open(keyOf('shop'))];
  for (let i = 0; i < 3; i += 1) {
    const third = await server.connect(keyOf('shop'));
    third.send({ type: 'connection_init' });
    const answer = await third.next(({ type }) => type === 'connection_error');
    expect(answer).toMatchObject(overLimit);
    expect(await third.end()).toMatchObject({ code: 1008 });
  }
  await server.open(keyOf('game'));
  first.socket.close();
  await first.end();
  await expect.poll(() => server.realtime.counts().connections, wait).toBe(2);
  await server.open(keyOf('shop'));
});

it('limits the subscriptions of a realm over all its connections, and of no other', async () => {
  const limits = { subscriptionsPerRealm: 3 };
  const server = await startRealtime({ authorizers: [realms], limits });
  const [a, b] = [await server.open(keyOf('shop')), await server.open(keyOf('shop'))];
  const game = await server.open(keyOf('game'));
  const subscribe = async (client: typeof a, id: string) => {
    client.send({ type: 'subscribe', id, channel: '/default/a' });
    return client.next((frame) => frame.id === id);
  };
  const success = { type: 'subscribe_success' };
  for (const id of ['1', '2']) expect(await subscribe(a, id)).toMatchObject(success);
  expect(await subscribe(b, '3')).toMatchObject(success);
  for (const id of ['4', '5']) expect(await subscribe(b, id)).toMatchObject(overLimit);
  expect(await subscribe(game, '1')).toMatchObject(success);
  b.send({ type: 'unsubscribe', id: '3' });
  expect(await subscribe(b, '6')).toMatchObject(success);
  a.socket.close();
  await expect.poll(() => server.realtime.counts().subscriptions, wait).toBe(2);
  for (const id of ['7', '8']) expect(await subscribe(b, id)).toMatchObject(success);
  expect(await subscribe(b, '9')).toMatchObject(overLimit);
});

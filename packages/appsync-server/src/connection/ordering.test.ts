import { describe, expect, it } from 'vitest';
import { apiKeys, startRealtime } from '../../test/test-server.js';
import type { Authorizer, AuthRequest } from '../auth/authorizer.js';
import { RealtimeError } from '../protocol/realtime-error.js';

const unlimited = {
  publishesPerSecond: 1e6,
  eventsPerSecond: 1e6,
  subscriptionsPerConnection: 1e6,
};

describe.each(['default', 'stored'])('in the namespace %s', (namespace) => {
  it('loses nothing that is published after subscribe_success, in thousands of races', async () => {
    const server = await startRealtime({ limits: unlimited });
    const [subscriber, publisher] = await Promise.all([server.open(), server.open()]);
    const races = 2_000;
    subscriber.socket.on('message', (data: Buffer) => {
      const { type, id } = JSON.parse(data.toString());
      if (type !== 'subscribe_success') return;
      const channel = `/${namespace}/${id}`;
      publisher.send({ type: 'publish', id: `p${id}`, channel, events: [`"${id}"`] });
    });
    for (let race = 0; race < races; race += 1) {
      subscriber.send({ type: 'subscribe', id: `${race}`, channel: `/${namespace}/${race}` });
    }
    const data = () => subscriber.frames.filter(({ type }) => type === 'data');
    await expect.poll(() => data().length, { timeout: 20_000 }).toBe(races);
    expect(data().every(({ id, event }) => event === `"${id}"`)).toBe(true);
  });

  it('gives every subscriber the events of two publishers, each in its order', async () => {
    const server = await startRealtime({ limits: unlimited });
    const subscriber = await server.open();
    subscriber.send({ type: 'subscribe', id: 'a', channel: `/${namespace}/room` });
    subscriber.send({ type: 'subscribe', id: 'b', channel: `/${namespace}/*` });
    await subscriber.next(({ type, id }) => type === 'subscribe_success' && id === 'b');
    const publishers = await Promise.all([server.open(), server.open()]);
    for (let n = 0; n < 500; n += 1) {
      for (const [index, publisher] of publishers.entries()) {
        const events = [`{"by":${index},"n":${n}}`];
        publisher.send({ type: 'publish', id: `p${n}`, channel: `/${namespace}/room`, events });
      }
    }
    await expect.poll(() => subscriber.frames.length, { timeout: 20_000 }).toBe(4 + 2_000);
    for (const id of ['a', 'b']) {
      for (const by of [0, 1]) {
        const seen = subscriber.frames
          .filter((frame) => frame.type === 'data' && frame.id === id)
          .map((frame) => JSON.parse(String(frame.event)))
          .filter((event) => event.by === by)
          .map((event) => event.n);
        expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => n));
      }
    }
  });

  it('sends publish_success before the data of the publisher itself', async () => {
    const server = await startRealtime({ limits: unlimited });
    const client = await server.open();
    client.send({ type: 'subscribe', id: 's', channel: `/${namespace}/room` });
    for (let n = 0; n < 200; n += 1) {
      client.send({
        type: 'publish',
        id: `p${n}`,
        channel: `/${namespace}/room`,
        events: [`${n}`],
      });
    }
    await expect.poll(() => client.frames.length, { timeout: 20_000 }).toBe(3 + 400);
    const placeOf = (fits: (frame: (typeof client.frames)[0]) => boolean) =>
      client.frames.findIndex(fits);
    for (let n = 0; n < 200; n += 1) {
      const success = placeOf(({ id }) => id === `p${n}`);
      expect(client.frames[success]?.type).toBe('publish_success');
      expect(success).toBeLessThan(placeOf(({ event }) => event === `${n}`));
    }
  });
});

it('delivers a wildcard every depth below it, and not the channel itself', async () => {
  const server = await startRealtime();
  const client = await server.open();
  client.send({ type: 'subscribe', id: 'all', channel: '/default/*' });
  client.send({ type: 'subscribe', id: 'deep', channel: '/default/a/*' });
  await client.next(({ type, id }) => type === 'subscribe_success' && id === 'deep');
  for (const [index, channel] of ['default', 'default/a', 'default/a/b/c', 'default/b'].entries()) {
    await server.post({ channel, events: [`${index}`] });
  }
  await expect.poll(() => client.frames.length).toBe(4 + 4);
  const got = (wanted: string) =>
    client.frames.filter(({ type, id }) => type === 'data' && id === wanted).map((f) => f.event);
  expect(got('all')).toEqual(['1', '2', '3']);
  expect(got('deep')).toEqual(['2']);
});

/** Authorizer whose answers about `authorization` wait until they are let go. */
function slowAuthorizer(): { authorizer: Authorizer; settle: (() => void)[] } {
  const settle: (() => void)[] = [];
  const authorizer: Authorizer = {
    mode: 'AWS_LAMBDA',
    accepts: (headers) => headers.authorization !== undefined,
    authorize: ({ headers }: AuthRequest) =>
      new Promise((resolve, reject) => {
        const id = headers.authorization ?? '';
        settle.push(() => {
          if (id === 'deny') reject(new RealtimeError('UnauthorizedException', 401, 'No.'));
          else resolve({ mode: 'AWS_LAMBDA', id, realm: '' });
        });
      }),
  };
  return { authorizer, settle };
}

it('handles frames in order, also if one of them has to wait', async () => {
  const { authorizer, settle } = slowAuthorizer();
  const server = await startRealtime({ authorizers: [authorizer, apiKeys({ key: {} })] });
  const client = await server.open();
  const authorization = { authorization: 'x' };
  client.send({ type: 'subscribe', id: 'a', channel: '/default/a', authorization });
  client.send({ type: 'publish', id: 'p', channel: '/default/a', events: ['1'] });
  client.send({ type: 'unsubscribe', id: 'a' });
  await expect.poll(() => settle.length).toBe(1);
  expect(client.frames).toHaveLength(2);
  settle[0]?.();
  await client.next(({ type }) => type === 'unsubscribe_success');
  const types = client.frames.slice(2).map(({ type }) => type);
  expect(types).toEqual(['subscribe_success', 'publish_success', 'data', 'unsubscribe_success']);
});

it('resolves a publish while the subscribe before it is denied on the same socket', async () => {
  const { authorizer, settle } = slowAuthorizer();
  const server = await startRealtime({ authorizers: [authorizer, apiKeys({ key: {} })] });
  const client = await server.open();
  const authorization = { authorization: 'deny' };
  client.send({ type: 'subscribe', id: 'ok', channel: '/default/a' });
  client.send({ type: 'subscribe', id: 'b', channel: '/default/b', authorization });
  client.send({ type: 'publish', id: 'p', channel: '/default/a', events: ['1'] });
  await expect.poll(() => settle.length).toBe(1);
  settle[0]?.();
  await client.next(({ type }) => type === 'data');
  const denied = client.frames.find(({ id }) => id === 'b');
  expect(denied).toMatchObject({ type: 'subscribe_error' });
  expect(client.closed).toBeUndefined();
  await server.post({ channel: '/default/a', events: ['2'] });
  await client.next(({ event }) => event === '2');
});

it('reads no more from a connection whose frames wait, and answers all of them in the end', async () => {
  const { authorizer, settle } = slowAuthorizer();
  const limits = { ...unlimited, maxFrameBytes: 50_000 };
  const authorizers = [authorizer, apiKeys({ key: {} })];
  const server = await startRealtime({ limits, authorizers, keepAliveMs: 100 });
  const client = await server.open();
  const authorization = { authorization: 'x' };
  client.send({ type: 'subscribe', id: 'a', channel: '/default/a', authorization });
  const events = [JSON.stringify('x'.repeat(20_000))];
  for (let n = 0; n < 2_000; n += 1) {
    client.send({ type: 'publish', id: `p${n}`, channel: '/default/b', events });
  }
  await expect.poll(() => settle.length).toBe(1);
  // 40 MB do not fit into the buffers of two sockets.
  expect(client.socket.bufferedAmount).toBeGreaterThan(1_000_000);
  // It is not taken for dead, although its pongs are not read.
  const count = (wanted: string) => client.frames.filter(({ type }) => type === wanted).length;
  await expect.poll(() => count('ka'), { timeout: 10_000 }).toBeGreaterThan(6);
  settle[0]?.();
  await expect.poll(() => count('publish_success'), { timeout: 30_000 }).toBe(2_000);
  expect(client.closed).toBeUndefined();
}, 60_000);

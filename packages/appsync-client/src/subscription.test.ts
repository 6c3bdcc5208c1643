import { getEventListeners } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { framesOf, idOf, last, open, plain, reasonOf, take } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { connect, createConfig } from './index.js';

describe('a subscription', () => {
  it('subscribes, gets events verbatim and in order, and unsubscribes', async () => {
    const server = await startScripted();
    const client = await open(server);
    const subscription = client.subscribe('default/room/');
    await subscription.ready;
    const [frame] = framesOf(last(server), 'subscribe');
    expect(frame).toMatchObject({
      channel: '/default/room',
      authorization: { 'x-api-key': 'da2-key' },
    });
    for (const event of ['{"a": 1}', 'no json', '2']) {
      last(server).send({ type: 'data', id: frame?.id, event });
    }
    last(server).send({ type: 'data', id: frame?.id, event: ['3', '4'] });
    const items = await take(subscription, 5);
    expect(items.map(({ event }) => event)).toEqual(['{"a": 1}', 'no json', '2', '3', '4']);
    await expect.poll(() => framesOf(last(server), 'unsubscribe')).toHaveLength(1);
  });

  it('parses events, makes one that is no JSON an item, and passes other items on', async () => {
    const server = await startScripted();
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    const id = idOf(last(server));
    const errors = [{ errorType: 'MessageProcessingError' }];
    last(server).send({ type: 'data', id, event: 'x' });
    last(server).send({ type: 'broadcast_error', id, errors });
    last(server).send({ type: 'presence', id, event: 'join', member: 'ann' });
    last(server).send({ type: 'data', id, event: '{"n":1}', channel: '/default/a' });
    const seen = [];
    for await (const item of subscription.json<{ n: number }>()) {
      seen.push(item);
      if (seen.length === 4) break;
    }
    expect(seen).toMatchObject([
      { type: 'invalid', text: 'x' },
      { type: 'broadcast_error', errors },
      { type: 'presence', presence: { change: 'join', members: [{ member: 'ann' }] } },
      { type: 'data', event: { n: 1 }, channel: '/default/a' },
    ]);
  });

  it('shares one subscription at the server among several consumers', async () => {
    const server = await startScripted();
    const client = await open(server);
    const [first, second] = [client.subscribe('/default/a'), client.subscribe('default/a')];
    await Promise.all([first.ready, second.ready]);
    expect(() => client.subscribe('/default/a', { exclusive: true })).toThrow(
      reasonOf('subscription_called'),
    );
    expect(framesOf(last(server), 'subscribe')).toHaveLength(1);
    await first.unsubscribe();
    expect(framesOf(last(server), 'unsubscribe')).toHaveLength(0);
    await expect(first.unsubscribe()).rejects.toThrow(reasonOf('unsubscription_called'));
    await second.unsubscribe();
    expect(framesOf(last(server), 'unsubscribe')).toHaveLength(1);
    expect(await second[Symbol.asyncIterator]().next()).toMatchObject({ done: true });
  });

  it('reports a refused subscription to it alone', async () => {
    const errors = [{ errorType: 'UnauthorizedException', message: 'no' }];
    const server = await startScripted((frame, peer) => {
      if (frame.channel === '/default/b') {
        return peer.send({ type: 'subscribe_error', id: frame.id, errors });
      }
      return agreeable(frame, peer);
    });
    const client = await open(server);
    const good = client.subscribe('/default/a');
    const bad = client.subscribe('/default/b');
    await good.ready;
    await expect(bad.ready).rejects.toMatchObject({ reason: 'server_error', errors });
    await client.publish('/default/a', ['1']);
    expect(client.state).toBe('open');
    expect(server.peers).toHaveLength(1);
  });

  it('removes a subscription that was aborted before the server had acknowledged it', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'subscribe') agreeable(frame, peer);
    });
    const client = await open(server);
    const abort = new AbortController();
    client.subscribe('/default/a', { signal: abort.signal });
    await expect.poll(() => framesOf(last(server), 'subscribe')).toHaveLength(1);
    abort.abort();
    const id = idOf(last(server));
    last(server).send({ type: 'subscribe_success', id });
    await expect.poll(() => framesOf(last(server), 'unsubscribe')).toMatchObject([{ id }]);
  });

  it('leaves no listener on a signal that outlives it', async () => {
    const server = await startScripted();
    const client = await open(server);
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i += 1) {
      const subscription = client.subscribe('/default/a', { signal });
      await subscription.ready;
      await client.publish('/default/a', ['1'], { signal });
      await subscription.unsubscribe();
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('sends nothing for a subscription that is left before its credential is there', async () => {
    const server = await startScripted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const authorize = async ({ operation }: { operation: string }) => {
      if (operation === 'subscribe') await promise;
      return { 'x-api-key': 'k' };
    };
    const config = createConfig([server.endpoint, undefined], authorize, plain);
    const client = await connect(config);
    onTestFinished(() => client.close());
    const subscription = client.subscribe('/default/a');
    const left = subscription.unsubscribe();
    resolve();
    await left;
    await client.publish('/default/a', ['1']);
    expect(last(server).frames.map(({ type }) => type)).toEqual(['connection_init', 'publish']);
  });

  it('has left a subscription whose connection is lost meanwhile', async () => {
    const server = await startScripted((frame, peer) =>
      frame.type === 'unsubscribe' ? peer.cut() : agreeable(frame, peer),
    );
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    await subscription.unsubscribe();
    await expect.poll(() => client.state).toBe('open');
    await client.publish('/default/a', ['1']);
    expect(server.peers).toHaveLength(2);
    expect(framesOf(last(server), 'subscribe')).toEqual([]);
  });

  it('unsubscribes at the end of the scope of `await using`, or of its own', async () => {
    const server = await startScripted();
    {
      await using client = await open(server);
      {
        await using subscription = client.subscribe('/default/a');
        await subscription.ready;
      }
      expect(framesOf(last(server), 'unsubscribe')).toHaveLength(1);
    }
    expect(await last(server).closed).toBe(1000);
  });

  it('ends a subscription whose queue overflows, if it is told to', async () => {
    const server = await startScripted();
    const client = await open(server);
    const ends: unknown[] = [];
    const onEnd = (error?: Error) => void ends.push(error);
    const options = { maxQueued: 2, overflow: 'error', onEnd } as const;
    const subscription = client.subscribe('/default/a', options);
    await subscription.ready;
    for (const event of ['1', '2', '3']) {
      last(server).send({ type: 'data', id: idOf(last(server)), event });
    }
    await expect.poll(() => framesOf(last(server), 'unsubscribe')).toHaveLength(1);
    expect(subscription.dropped).toBe(1);
    const items: string[] = [];
    const read = async () => {
      for await (const { event } of subscription) items.push(event);
    };
    await expect(read()).rejects.toThrow(reasonOf('receive_failed'));
    expect(items).toEqual(['1', '2']);
    await expect.poll(() => ends).toEqual([reasonOf('receive_failed')]);
  });
});

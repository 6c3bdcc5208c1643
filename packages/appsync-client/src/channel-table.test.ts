import { describe, expect, it, onTestFinished } from 'vitest';
import { framesOf, idOf, last, open, plain, take } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { connect, createConfig } from './index.js';

describe('subscribing again', () => {
  it('subscribes again when the source of tokens is back, or the server can', async () => {
    const server = await startScripted();
    let failures = 0;
    const config = createConfig(
      [server.endpoint, undefined],
      ({ operation }) => {
        if (operation === 'subscribe' && failures > 0) {
          failures -= 1;
          throw new Error('no token');
        }
        return { 'x-api-key': 'k' };
      },
      plain,
    );
    const client = await connect(config, { reconnect: { initialMs: 5, maxMs: 20 } });
    onTestFinished(() => client.close());
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    failures = 3;
    let throttled = 2;
    server.script = (frame, peer) => {
      if (frame.type !== 'subscribe' || throttled === 0) return agreeable(frame, peer);
      throttled -= 1;
      const errors = [{ errorType: 'LimitExceededError', errorCode: 429 }];
      return peer.send({ type: 'subscribe_error', id: frame.id, errors });
    };
    last(server).cut();
    await expect.poll(() => server.peers.length).toBe(2);
    await expect.poll(() => framesOf(last(server), 'subscribe').length).toBe(3);
    expect(failures).toBe(0);
    last(server).send({ type: 'data', id: idOf(last(server)), event: '1' });
    expect((await take(subscription, 2)).map(({ type }) => type)).toEqual(['gap', 'data']);
  });

  it('ends a subscription that the server refuses now, and only that one', async () => {
    const server = await startScripted();
    const client = await open(server);
    const ends: unknown[] = [];
    const refused = client.subscribe('/default/a', { onEnd: (error) => ends.push(error) });
    const other = client.subscribe('/default/b');
    await Promise.all([refused.ready, other.ready]);
    const errors = [{ errorType: 'UnauthorizedException', errorCode: 403 }];
    server.script = (frame, peer) =>
      frame.channel === '/default/a'
        ? peer.send({ type: 'subscribe_error', id: frame.id, errors })
        : agreeable(frame, peer);
    last(server).cut();
    await expect(take(refused, 1)).rejects.toMatchObject({ reason: 'server_error', errors });
    expect(ends).toMatchObject([{ reason: 'server_error', errors }]);
    expect(await take(other, 1)).toEqual([{ type: 'gap', event: '' }]);
    expect(client.state).toBe('open');
  });

  it('ends a subscription that the server ends by itself, and only that one', async () => {
    const server = await startScripted();
    const client = await open(server);
    const ended = client.subscribe('/default/a');
    await ended.ready;
    const id = idOf(last(server));
    const other = client.subscribe('/default/b');
    await other.ready;
    const errors = [{ errorType: 'ResourceNotFound', message: 'The namespace was removed.' }];
    last(server).send({ type: 'data', id, event: '1' });
    last(server).send({ type: 'subscribe_error', id, errors });
    // The event before it is still got.
    await expect(take(ended, 2)).rejects.toMatchObject({ reason: 'server_error', errors });
    const again = client.subscribe('/default/a');
    await again.ready;
    expect(framesOf(last(server), 'subscribe')).toHaveLength(3);
    expect(framesOf(last(server), 'unsubscribe')).toEqual([]);
    const otherId = framesOf(last(server), 'subscribe')[1]?.id;
    last(server).send({ type: 'data', id: otherId, event: '2' });
    expect(await take(other, 1)).toMatchObject([{ type: 'data', event: '2' }]);
  });

  it('rejects a first subscribe whose credential cannot be had', async () => {
    const server = await startScripted();
    const config = createConfig(
      [server.endpoint, undefined],
      ({ operation }) => {
        if (operation === 'subscribe') throw new Error('no token');
        return { 'x-api-key': 'k' };
      },
      plain,
    );
    const client = await connect(config);
    onTestFinished(() => client.close());
    await expect(client.subscribe('/default/a').ready).rejects.toMatchObject({
      reason: 'receive_failed',
      message: 'Error: no token',
    });
  });
});

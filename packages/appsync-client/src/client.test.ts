import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { configOf, framesOf, last, open, reasonOf, take } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { AppSyncError, createWebSocketClient, dialWebSocket } from './index.js';

describe('a client', () => {
  it('sends its credential as a subprotocol that is no invalid token', async () => {
    const server = await startScripted();
    await open(server);
    const header = last(server).request.headers['sec-websocket-protocol'] ?? '';
    const [first, second = ''] = header.split(/, ?/);
    expect(first).toBe('aws-appsync-event-ws');
    expect(second).toMatch(/^header-[A-Za-z0-9_-]+$/);
    const text = Buffer.from(second.slice('header-'.length), 'base64url').toString();
    expect(JSON.parse(text)).toEqual({ host: server.endpoint, 'x-api-key': 'da2-key' });
  });

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

  it('parses events, and makes one that is no JSON an item', async () => {
    const server = await startScripted();
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    const { id } = framesOf(last(server), 'subscribe')[0] ?? {};
    last(server).send({ type: 'data', id, event: 'x' });
    last(server).send({ type: 'data', id, event: '{"n":1}' });
    const seen = [];
    for await (const item of subscription.json<{ n: number }>()) {
      seen.push(item.type === 'data' ? item.event.n : item.type);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['invalid', 1]);
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
    const { id } = framesOf(last(server), 'subscribe')[0] ?? {};
    last(server).send({ type: 'subscribe_success', id });
    await expect.poll(() => framesOf(last(server), 'unsubscribe')).toMatchObject([{ id }]);
  });

  it('ignores frames that are not JSON, unknown, before the acknowledgement, or of unknown ids', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type === 'connection_init') {
        for (const hostile of ['{', '[]', 'null', '{"type":1}', '{"type":"data"}']) {
          peer.send(hostile);
        }
        peer.send({ type: 'ka' });
      }
      agreeable(frame, peer);
      peer.send({ type: 'something_new', id: frame.id });
      peer.send({ type: 'data', id: 'nobody', event: '1' });
      peer.send({ type: 'error', errors: 'not a list' });
    });
    const client = await open(server);
    await client.subscribe('/default/a').ready;
    expect(await client.publish('/default/a', ['1'])).toMatchObject({ successIndexes: [0] });
    expect(client.state).toBe('open');
  });

  it('settles an operation by an `error` frame with its id', async () => {
    const errors = [{ errorType: 'UnsupportedOperation' }];
    const server = await startScripted((frame, peer) =>
      frame.type === 'publish'
        ? peer.send({ type: 'error', id: frame.id, errors })
        : agreeable(frame, peer),
    );
    const client = await open(server);
    await expect(client.publish('/default/a', ['1'])).rejects.toMatchObject({ errors });
  });

  it('limits the time of an operation, and lets the caller abort it', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'publish') agreeable(frame, peer);
    });
    const client = await open(server);
    const late = client.publish('/default/a', ['1'], { timeoutMs: 20 });
    await expect(late).rejects.toThrow(reasonOf('timed_out'));
    const signal = AbortSignal.timeout(20);
    const aborted = client.publish('/default/a', ['1'], { signal });
    await expect(aborted).rejects.toThrow(reasonOf('context_ended'));
  });

  it('takes answers of wrong types for empty ones', async () => {
    const server = await startScripted((frame, peer) => {
      const { type, id } = frame;
      if (type === 'publish') {
        return peer.send({ type: 'publish_success', id, successful: 7, failed: [null] });
      }
      if (type === 'subscribe') return peer.send({ type: 'subscribe_error', id, errors: [null] });
      return agreeable(frame, peer);
    });
    const client = await open(server);
    const empty = { successful: [], failed: [], successIndexes: [] };
    expect(await client.publish('/default/a', ['1'])).toEqual(empty);
    await expect(client.subscribe('/default/a').ready).rejects.toMatchObject({ errors: [] });
    server.script = (frame, peer) => {
      if (frame.type === 'connection_init') peer.send({ type: 'connection_error', errors: [null] });
    };
    await expect(open(server, { reconnect: false })).rejects.toMatchObject({
      reason: 'server_error',
    });
  });

  it('is an error of the platform for its callers', () => {
    const error = new AppSyncError('id_exists', 'x');
    expect(error).toMatchObject({ code: 'APPSYNC_ID_EXISTS', type: 'conflict', retryable: false });
    expect(error).toBeInstanceOf(PlatformError);
  });

  it('works on a connection of its user, and ends with it', async () => {
    const server = await startScripted();
    const config = configOf(server);
    const client = createWebSocketClient(await dialWebSocket(config), config);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    last(server).cut();
    await expect(take(subscription, 1)).rejects.toThrow(reasonOf('connection_closed'));
    expect(client.err?.reason).toBe('connection_closed');
    await expect(client.publish('/default/a', ['1'])).rejects.toThrow(
      reasonOf('connection_closed'),
    );
  });

  it('closes once with 1000, sends no unsubscribes, and ends iterations', async () => {
    const server = await startScripted();
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    client.close();
    client.close();
    expect(await take(subscription, 1)).toEqual([]);
    expect(await last(server).closed).toBe(1000);
    expect(framesOf(last(server), 'unsubscribe')).toEqual([]);
    expect(client.err).toBeUndefined();
  });
});

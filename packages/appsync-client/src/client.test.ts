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

  it('has an id of its own for each of many concurrent operations', async () => {
    const server = await startScripted();
    const client = await open(server, { publishesPerSecond: 10_000 });
    const operations = Array.from({ length: 300 }, (_, i) => [
      client.publish('/default/a', ['1']),
      client.subscribe(`/default/a${i}`).ready,
    ]).flat();
    await Promise.all(operations);
    const ids = last(server).frames.flatMap(({ id }) => id ?? []);
    expect(new Set(ids).size).toBe(600);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_+-]{1,128}$/);
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

  it('closes once with 1000, sends no unsubscribes, and ends all that waits', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'publish') agreeable(frame, peer);
    });
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    const pending = client.publish('/default/a', ['1']);
    await expect.poll(() => framesOf(last(server), 'publish')).toHaveLength(1);
    client.close();
    client.close();
    await expect(pending).rejects.toThrow(reasonOf('connection_closed'));
    expect(() => client.subscribe('/default/b')).toThrow(reasonOf('connection_closed'));
    await expect(client.publish('/default/a', ['1'])).rejects.toThrow(
      reasonOf('connection_closed'),
    );
    expect(await take(subscription, 1)).toEqual([]);
    expect(await last(server).closed).toBe(1000);
    expect(framesOf(last(server), 'unsubscribe')).toEqual([]);
    expect(client.err).toBeUndefined();
  });
});

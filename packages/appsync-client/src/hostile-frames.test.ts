import { describe, expect, it } from 'vitest';
import { createManualClock } from '../test/manual-clock.js';
import { configOf, framesOf, idOf, last, open, reasonOf, take } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { watchUncaught } from '../test/uncaught.js';
import { connect, type WebSocketConstructor } from './index.js';

describe('hostile frames', () => {
  it('that refuse the connection without a reason are a refusal', async () => {
    const uncaught = watchUncaught();
    const server = await startScripted((_, peer) =>
      peer.send({ type: 'connection_error', errors: [null, 'x', 1] }),
    );
    await expect(connect(configOf(server), { reconnect: false })).rejects.toThrow(
      reasonOf('server_error'),
    );
    expect(uncaught).toEqual([]);
  });

  it.each([-1, 0, 'soon', null, undefined])(
    'that name the timeout %s mean the usual one',
    async (connectionTimeoutMs) => {
      const server = await startScripted((frame, peer) => {
        if (frame.type !== 'connection_init') return agreeable(frame, peer);
        return peer.send({ type: 'connection_ack', connectionTimeoutMs });
      });
      const clock = createManualClock();
      const client = await open(server, { clock });
      expect(clock.waits.at(-1)).toBe(150_000);
      expect(client.state).toBe('open');
    },
  );

  it('that answer a publish with other types are no exception', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'publish') return agreeable(frame, peer);
      const failed = [null, { identifier: 'a', index: 0, code: 413 }];
      return peer.send({ type: 'publish_success', id: frame.id, successful: 'all', failed });
    });
    const client = await open(server);
    expect(await client.publish('/default/a', ['1'])).toEqual({
      successful: [],
      failed: [{ identifier: 'a', index: 0, code: 413 }],
      successIndexes: [],
    });
  });

  it('of other types settle no operation, and answers count once', async () => {
    const server = await startScripted((frame, peer) => {
      const { type, id } = frame;
      if (type === 'publish' || type === 'subscribe') {
        for (const other of ['something_new', 'broadcast_error', 'unsubscribe_success', 'data']) {
          peer.send({ type: other, id });
        }
      }
      agreeable(frame, peer);
      agreeable(frame, peer);
    });
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    expect(await client.publish('/default/a', ['1'])).toMatchObject({ successIndexes: [0] });
    last(server).send({ type: 'data', id: idOf(last(server)), event: '1' });
    // A second answer is no gap.
    const items = (await take(subscription, 3)).map(({ type, event }) => `${type} ${event}`);
    expect(items).toEqual(['broadcast_error ', 'data null', 'data 1']);
    expect(client.state).toBe('open');
  });

  it('that are binary are ignored, and huge ones delivered', async () => {
    const server = await startScripted();
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    last(server).send(Buffer.from([1, 0, 255]));
    const event = JSON.stringify('x'.repeat(5_000_000));
    last(server).send({ type: 'data', id: idOf(last(server)), event });
    const [item] = await take(subscription, 1);
    expect(item?.event === event).toBe(true);
  });

  it('of type error without an operation are reported, and the connection stays', async () => {
    const errors = [{ errorType: 'LimitExceededError', errorCode: 429 }];
    const seen: unknown[] = [];
    const server = await startScripted();
    const client = await open(server, { onError: (reported) => seen.push(...reported) });
    last(server).send({ type: 'error', errors: [...errors, null] });
    await expect.poll(() => seen).toEqual(errors);
    expect(client.state).toBe('open');
  });

  it('that acknowledge a subscription too late are answered with an unsubscribe', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'subscribe') agreeable(frame, peer);
    });
    const clock = createManualClock();
    const client = await open(server, { clock, timeoutMs: 5_000 });
    const subscription = client.subscribe('/default/a');
    await expect.poll(() => framesOf(last(server), 'subscribe')).toHaveLength(1);
    clock.advance(5_000);
    await expect(subscription.ready).rejects.toThrow(reasonOf('timed_out'));
    const id = idOf(last(server));
    last(server).send({ type: 'subscribe_success', id });
    await expect.poll(() => framesOf(last(server), 'unsubscribe')).toMatchObject([{ id }]);
  });

  it('cannot keep a client waiting for its acknowledgement', async () => {
    let received = 0;
    class CountingSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        this.addEventListener('message', () => {
          received += 1;
        });
      }
    }
    const clock = createManualClock();
    const server = await startScripted(() => undefined);
    const connecting = connect(configOf(server), {
      ...{ clock, timeoutMs: 5_000, reconnect: false },
      WebSocket: CountingSocket as unknown as WebSocketConstructor,
    });
    connecting.catch(() => undefined);
    await expect.poll(() => server.peers[0]?.frames.length).toBe(1);
    clock.advance(3_000);
    for (const type of ['ka', 'something_new', 'data']) last(server).send({ type });
    await expect.poll(() => received).toBe(3);
    clock.advance(2_000);
    await expect(connecting).rejects.toThrow(reasonOf('timed_out'));
  });
});

describe('a callback that throws', () => {
  const ofApplication = () => {
    throw new Error('of the application');
  };

  it('ends its own subscription; others of the channel get every event', async () => {
    const uncaught = watchUncaught();
    const server = await startScripted();
    const client = await open(server);
    const bad = client.subscribe('/default/a', { onMessage: ofApplication });
    const good = client.subscribe('/default/a');
    await Promise.all([bad.ready, good.ready]);
    const id = idOf(last(server));
    for (const event of ['1', '2']) last(server).send({ type: 'data', id, event });
    expect((await take(good, 2)).map(({ event }) => event)).toEqual(['1', '2']);
    await expect.poll(() => uncaught.map(String)).toEqual(['Error: of the application']);
  });

  it('does not keep the client from connecting again, or from reading on', async () => {
    const uncaught = watchUncaught();
    const server = await startScripted();
    const client = await open(server, { onState: ofApplication, onError: ofApplication });
    last(server).send({ type: 'error' });
    await client.subscribe('/default/a').ready;
    last(server).cut();
    await expect.poll(() => server.peers.length).toBe(2);
    await expect.poll(() => client.state).toBe('open');
    // For `open`, the error frame, `reconnecting` and `open`.
    await expect.poll(() => uncaught.length).toBe(4);
  });
});

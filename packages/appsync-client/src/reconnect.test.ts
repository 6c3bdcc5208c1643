import { describe, expect, it } from 'vitest';
import { createManualClock } from '../test/manual-clock.js';
import { framesOf, idOf, last, open, take } from '../test/open-client.js';
import { agreeable, startScripted } from '../test/scripted-server.js';

describe('reconnecting', () => {
  it('subscribes again on the next connection, and reports that events may be missing', async () => {
    const server = await startScripted();
    const states: string[] = [];
    const client = await open(server, { onState: (state) => states.push(state) });
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    last(server).cut();
    await expect.poll(() => server.peers.length).toBe(2);
    await expect.poll(() => framesOf(last(server), 'subscribe')).toHaveLength(1);
    const id = idOf(last(server));
    await expect.poll(() => client.state).toBe('open');
    last(server).send({ type: 'data', id, event: '1' });
    const items = await take(subscription, 2);
    expect(items).toMatchObject([{ type: 'gap' }, { type: 'data', event: '1' }]);
    expect(states).toEqual(['open', 'reconnecting', 'open']);
  });

  it('asks for the events behind the last position, with the extension `resume`', async () => {
    const server = await startScripted((frame, peer) => {
      const { type, id } = frame;
      if (type === 'connection_init') {
        expect(frame.extensions).toEqual(['resume']);
        return peer.send({ type: 'connection_ack', extensions: ['resume'], epoch: 'e' });
      }
      if (type !== 'subscribe') return agreeable(frame, peer);
      const isAgain = frame.resume !== undefined;
      const recovered = isAgain ? { recovered: true } : {};
      peer.send({ type: 'subscribe_success', id, epoch: 'e', position: '4', ...recovered });
      return peer.send({
        type: 'data',
        id,
        event: isAgain ? '2' : '1',
        position: isAgain ? '8' : '7',
      });
    });
    const client = await open(server, { extensions: ['resume'] });
    const subscription = client.subscribe('/default/a');
    const items = subscription[Symbol.asyncIterator]();
    expect((await items.next()).value).toMatchObject({ event: '1' });
    last(server).cut();
    expect((await items.next()).value).toMatchObject({ type: 'data', event: '2' });
    const [frame] = framesOf(last(server), 'subscribe');
    expect(frame?.resume).toEqual({ epoch: 'e', position: '7' });
  });

  it('gives up when a renewed credential is refused too', async () => {
    let isOpen = true;
    const server = await startScripted((frame, peer) => {
      if (isOpen || frame.type !== 'connection_init') return agreeable(frame, peer);
      const errors = [{ errorType: 'UnauthorizedException', errorCode: '401' }];
      peer.send({ type: 'connection_error', errors });
      return peer.close();
    });
    const client = await open(server);
    isOpen = false;
    last(server).cut();
    await expect.poll(() => client.state).toBe('closed');
    expect(client.err).toMatchObject({ reason: 'server_error' });
    expect(server.peers).toHaveLength(3);
  });

  it('finds a server again that was restarted', async () => {
    const server = await startScripted();
    const client = await open(server);
    const port = Number(server.endpoint.split(':')[1]);
    await server.close();
    await expect.poll(() => client.state).toBe('reconnecting');
    const next = await startScripted(agreeable, port);
    await expect.poll(() => client.state).toBe('open');
    expect(next.peers).toHaveLength(1);
  });

  it('lets publishes wait for the connection, as many as the queue holds', async () => {
    const server = await startScripted();
    const states: string[] = [];
    const client = await open(server, {
      maxOfflinePublishes: 1,
      random: () => 0.999,
      reconnect: { initialMs: 300 },
      onState: (state) => states.push(state),
    });
    last(server).cut();
    await expect.poll(() => states).toContain('reconnecting');
    const [first, second] = await Promise.allSettled([
      client.publish('/default/a', ['1']),
      client.publish('/default/a', ['2']),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { reason: 'connection_closed' } });
  });

  it('leaves a half-open socket on which nothing arrives, and subscribes on another', async () => {
    const clock = createManualClock();
    const server = await startScripted();
    const client = await open(server, { clock });
    await client.subscribe('/default/a').ready;
    clock.advance(149_000);
    expect(client.state).toBe('open');
    // The peer sends nothing: neither data nor keep-alives.
    clock.advance(2_000);
    expect(client.state).toBe('reconnecting');
    clock.advance(20);
    await expect.poll(() => client.state).toBe('open');
    await expect.poll(() => framesOf(last(server), 'subscribe')).toHaveLength(1);
    expect(server.peers).toHaveLength(2);
  });

  it('waits for a random part of a bound that doubles, and gives up after so many attempts', async () => {
    const clock = createManualClock();
    const server = await startScripted();
    const client = await open(server, {
      clock,
      random: () => 0.5,
      reconnect: { initialMs: 250, maxMs: 1_000, maxAttempts: 4 },
    });
    await server.close();
    for (const [index, expected] of [125, 250, 500, 500].entries()) {
      const waits = () => clock.waits.filter((ms) => ms < 1_000);
      await expect.poll(() => waits().length).toBe(index + 1);
      expect(waits().at(-1)).toBe(expected);
      clock.advance(expected);
    }
    await expect.poll(() => client.state).toBe('closed');
    expect(client.err).toMatchObject({ reason: 'receive_failed' });
  });

  it('begins with the smallest bound again after a stable connection', async () => {
    const clock = createManualClock();
    const server = await startScripted();
    const reconnect = { initialMs: 100, maxMs: 800, stableMs: 5_000 };
    const client = await open(server, { clock, random: () => 0.5, reconnect });
    const waits = () => clock.waits.filter((ms) => ms < 1_000);
    for (const [index, stableMs] of [0, 0, 5_000].entries()) {
      clock.skip(stableMs);
      last(server).cut();
      await expect.poll(() => waits().length).toBe(index + 1);
      clock.advance(waits().at(-1) ?? 0);
      await expect.poll(() => client.state).toBe('open');
    }
    expect(waits()).toEqual([50, 100, 50]);
  });

  it.each([1000, 1001, 1008, 1011, 1013])('follows a close with %i', async (code) => {
    const server = await startScripted();
    const client = await open(server);
    await client.subscribe('/default/a').ready;
    last(server).close(code);
    await expect.poll(() => server.peers.length).toBe(2);
    await expect.poll(() => framesOf(last(server), 'subscribe')).toHaveLength(1);
    expect(client.err).toBeUndefined();
  });

  it('spreads the clients of a server that was restarted', async () => {
    const server = await startScripted();
    const waits: number[] = [];
    const states: (() => string)[] = [];
    for (let i = 0; i < 60; i += 1) {
      const clock = createManualClock();
      const client = await open(server, { clock, reconnect: { initialMs: 1_000 } });
      states.push(() => {
        const wait = clock.waits.find((ms) => ms < 1_000);
        if (wait !== undefined) waits[i] = wait;
        return client.state;
      });
    }
    await server.close();
    await expect.poll(() => states.map((state) => state())).not.toContain('open');
    const spread = waits.map((ms) => Math.floor(ms / 250));
    expect(waits).toHaveLength(60);
    expect(new Set(spread)).toEqual(new Set([0, 1, 2, 3]));
  });
});

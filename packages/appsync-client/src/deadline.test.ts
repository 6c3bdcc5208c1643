import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createManualClock } from '../test/manual-clock.js';
import { configOf, framesOf, last, open, plain, reasonOf } from '../test/open-client.js';
import { startScripted } from '../test/scripted-server.js';
import { connect, createConfig, createLambdaConfig, dialWebSocket } from './index.js';

const never = new Promise<never>(() => undefined);

/** Starts a server that accepts connections, and never answers. */
async function startSilent(port = 0) {
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    closed.push(new Promise((resolve) => socket.on('error', resolve).on('close', resolve)));
    socket.resume();
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { closed, port: (server.address() as AddressInfo).port };
}

describe('a publish that waits', () => {
  it('for the connection can be given up, and makes way for another', async () => {
    const server = await startScripted();
    const clock = createManualClock();
    const client = await open(server, { clock, maxOfflinePublishes: 1 });
    last(server).cut();
    await expect.poll(() => client.state).toBe('reconnecting');
    const abort = new AbortController();
    const first = client.publish('/default/a', ['1'], { signal: abort.signal });
    await expect(client.publish('/default/a', ['1'])).rejects.toThrow(
      reasonOf('connection_closed'),
    );
    abort.abort();
    await expect(first).rejects.toThrow(reasonOf('context_ended'));
    const second = client.publish('/default/a', ['1'], { timeoutMs: 20 });
    await expect.poll(() => clock.waits).toContain(20);
    expect(client.state).toBe('reconnecting');
    const timedOut = expect(second).rejects.toThrow(reasonOf('timed_out'));
    clock.advance(20);
    await timedOut;
  });

  it('for its turn can be given up, is not sent, and does not count', async () => {
    const clock = createManualClock();
    const server = await startScripted();
    const client = await open(server, { clock, publishesPerSecond: 1 });
    await client.publish('/default/a', ['1']);
    const abort = new AbortController();
    const second = client.publish('/default/a', ['2'], { signal: abort.signal });
    const third = client.publish('/default/a', ['3']);
    await expect.poll(() => clock.waits).toContain(1_000);
    abort.abort();
    await expect(second).rejects.toThrow(reasonOf('context_ended'));
    clock.advance(1_000);
    await third;
    expect(framesOf(last(server), 'publish').map(({ events }) => events)).toEqual([['1'], ['3']]);
  });

  it('for its turn is sent on the next connection, if this one is lost meanwhile', async () => {
    const clock = createManualClock();
    const server = await startScripted();
    const client = await open(server, { clock, publishesPerSecond: 1, maxOfflinePublishes: 1 });
    await client.publish('/default/a', ['1']);
    const second = client.publish('/default/a', ['2']);
    await expect.poll(() => clock.waits).toContain(1_000);
    last(server).cut();
    await expect.poll(() => client.state).toBe('reconnecting');
    clock.advance(1_000);
    expect(await second).toMatchObject({ successIndexes: [0] });
    expect(framesOf(last(server), 'publish').map(({ events }) => events)).toEqual([['2']]);
    expect(server.peers).toHaveLength(2);
  });
});

describe('an operation whose credential function hangs', () => {
  it('ends with the time of the client', async () => {
    const server = await startScripted();
    const clock = createManualClock();
    const config = createConfig(
      [server.endpoint, undefined],
      ({ operation }) => (operation === 'connect' ? { 'x-api-key': 'k' } : never),
      plain,
    );
    const client = await connect(config, { clock, timeoutMs: 7_000 });
    onTestFinished(() => client.close());
    const limited = [
      client.subscribe('/default/a').ready,
      client.publish('/default/a', ['1']),
      client.publish('/default/a', ['1'], { over: 'http' }),
    ].map((each) => expect(each).rejects.toThrow(reasonOf('timed_out')));
    await expect.poll(() => clock.waits.filter((ms) => ms === 7_000)).toHaveLength(4);
    clock.advance(7_000);
    await Promise.all(limited);
    expect(client.state).toBe('open');
  });
});

describe('dialling', () => {
  it('ends while the function that gives the credential hangs', async () => {
    const config = createLambdaConfig('127.0.0.1:1', undefined, () => never, plain);
    await expect(dialWebSocket(config, { timeoutMs: 20 })).rejects.toThrow(reasonOf('timed_out'));
    const signal = AbortSignal.timeout(20);
    await expect(dialWebSocket(config, { signal })).rejects.toThrow(reasonOf('context_ended'));
    const aborted = AbortSignal.abort();
    await expect(dialWebSocket(config, { signal: aborted })).rejects.toThrow(
      reasonOf('context_ended'),
    );
  });

  it('ends while the server does not answer the upgrade, and closes the socket', async () => {
    const { port, closed } = await startSilent();
    const config = createLambdaConfig(`127.0.0.1:${port}`, undefined, 't', plain);
    await expect(dialWebSocket(config, { timeoutMs: 500 })).rejects.toThrow(reasonOf('timed_out'));
    expect(closed).toHaveLength(1);
    await closed[0];
  });

  it('again ends with the client', async () => {
    const server = await startScripted();
    const client = await open(server, { timeoutMs: 600_000 });
    await server.close();
    const { closed } = await startSilent(Number(server.endpoint.split(':')[1]));
    await expect.poll(() => closed.length).toBe(1);
    client.close();
    await closed[0];
  });

  it('ends when the caller aborts before the server acknowledges', async () => {
    const server = await startScripted(() => undefined);
    const abort = new AbortController();
    const connecting = connect(configOf(server), { signal: abort.signal });
    const ended = expect(connecting).rejects.toThrow(reasonOf('context_ended'));
    await expect.poll(() => server.peers[0]?.frames.length).toBe(1);
    abort.abort();
    await ended;
    expect(await last(server).closed).toBe(1000);
  });
});

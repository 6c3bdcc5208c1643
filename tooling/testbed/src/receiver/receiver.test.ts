import { request } from 'node:https';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { send, staysSilent } from '../../test/send.js';
import { startTcpServer } from '../tcp-server.js';
import { type Receiver, startReceiver } from './receiver.js';
import { failThenRecover, randomMix, type Step } from './receiver-script.js';

const open: { close(): Promise<void> }[] = [];

async function start(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...args);
  open.push(receiver);
  return receiver;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

describe('the request log of the receiver', () => {
  it('keeps method, path, headers, body, time and connection of each request', async () => {
    const receiver = await start();
    const before = Date.now();
    await send(`${receiver.url}/in?a=1`, { body: 'hello' });
    await send(receiver.url);
    const [first, second] = await receiver.waitFor(2);
    expect(first).toMatchObject({ method: 'POST', path: '/in?a=1', complete: true, connection: 1 });
    expect(first?.headers['content-length']).toBe('5');
    expect(first?.body.toString()).toBe('hello');
    expect(first?.receivedAt).toBeGreaterThanOrEqual(before - 1);
    expect(second).toMatchObject({ method: 'GET', path: '/', connection: 2 });
  });

  it('keeps one MiB of a larger body and counts the rest', async () => {
    const receiver = await start();
    await send(receiver.url, { body: Buffer.alloc(3_000_000) });
    expect(receiver.requests[0]?.body.length).toBe(1_048_576);
    expect(receiver.requests[0]?.bodyBytes).toBe(3_000_000);
  });

  it('drops the oldest bodies beyond 64 MiB, and keeps the count', async () => {
    const receiver = await start();
    const body = Buffer.alloc(1_048_576);
    for (let i = 0; i < 70; i++) await send(receiver.url, { body });
    expect(receiver.count).toBe(70);
    expect(receiver.requests.length).toBeLessThanOrEqual(64);
    receiver.clear();
    expect([receiver.count, receiver.requests.length]).toEqual([0, 0]);
  });

  it('marks a request whose client disconnected in the middle', async () => {
    const receiver = await start();
    const socket = connect(receiver.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf', () => {
      setTimeout(() => socket.destroy(), 20);
    });
    const [received] = await receiver.waitFor(1);
    expect(received).toMatchObject({ complete: false, bodyBytes: 4 });
  });

  it('counts requests in flight and connections', async () => {
    // Long enough that a busy machine has sent the last before the first is answered.
    const receiver = await start({ kind: 'respond', delayMs: 1_000 });
    const answers = Promise.all([send(receiver.url), send(receiver.url), send(receiver.url)]);
    await receiver.waitFor(3);
    expect([receiver.inFlight, receiver.connectionsOpen]).toEqual([3, 3]);
    await answers;
    await expect.poll(() => [receiver.inFlight, receiver.connectionsOpen]).toEqual([0, 0]);
    expect([receiver.peakInFlight, receiver.connectionsOpened]).toEqual([3, 3]);
  });

  it('lists the last requests when a wait times out', async () => {
    const receiver = await start();
    await send(`${receiver.url}/seen`);
    await expect(receiver.waitFor(2, 20)).rejects.toThrow(
      /1 requests arrived, the last were: GET \/seen/,
    );
  });

  it('rejects with the error of a predicate', async () => {
    const receiver = await start();
    const waiting = receiver.waitUntil(([first]) => {
      if (first) throw new Error('not this one');
      return false;
    });
    await Promise.all([send(receiver.url), expect(waiting).rejects.toThrow('not this one')]);
  });
});

describe('scripts', () => {
  const statuses = async (url: string, times: number): Promise<(number | undefined)[]> => {
    const seen: (number | undefined)[] = [];
    for (let i = 0; i < times; i++) seen.push((await send(url)).response.statusCode);
    return seen;
  };

  it('takes one step of a list for each request, and repeats the last', async () => {
    const { url } = await start([500, 429, 204]);
    expect(await statuses(url, 4)).toEqual([500, 429, 204, 204]);
  });

  it('has one behaviour for each path', async () => {
    const { url } = await start({ paths: { '/a': failThenRecover(1), '/b': 410 } });
    expect(await statuses(`${url}/a?x`, 2)).toEqual([503, 200]);
    expect(await statuses(`${url}/b`, 1)).toEqual([410]);
    expect(await statuses(`${url}/c`, 1)).toEqual([404]);
  });

  it('calls a function with the request and its number', async () => {
    const { url } = await start(({ body }, index) => 200 + Number(body.toString() || 0) + index);
    expect(await statuses(url, 2)).toEqual([200, 201]);
    expect((await send(url, { body: '3' })).response.statusCode).toBe(205);
  });

  it('responds with 500 and the reason when the function throws', async () => {
    const { url } = await start(() => {
      throw new Error('a bug in the test');
    });
    const { response, body } = await send(url);
    expect(response.statusCode).toBe(500);
    expect(body.toString()).toContain('a bug in the test');
  });

  it('can be replaced while it runs', async () => {
    const receiver = await start(503);
    expect(await statuses(receiver.url, 1)).toEqual([503]);
    receiver.follow(200);
    expect(await statuses(receiver.url, 1)).toEqual([200]);
  });

  it('picks random steps, the same for the same seed', () => {
    const take = (seed: number): Step[] => {
      const next = randomMix(seed, [
        { weight: 9, step: 200 },
        { weight: 1, step: 503 },
      ]);
      return Array.from({ length: 1_000 }, next);
    };
    expect(take(1)).toEqual(take(1));
    expect(take(1)).not.toEqual(take(2));
    const failures = take(1).filter((step) => step === 503).length;
    expect(failures).toBeGreaterThan(60);
    expect(failures).toBeLessThan(140);
  });
});

describe('over TLS', () => {
  it('has a certificate for loopback that is trusted only on request', async () => {
    const receiver = await start({ kind: 'respond', body: 'safe' }, { tls: true });
    const ca = receiver.certificate ?? '';
    expect((await send(receiver.url, { ca })).body.toString()).toBe('safe');
    await expect(
      new Promise((_, reject) => request(receiver.url).once('error', reject).end()),
    ).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  it('misbehaves as without TLS', async () => {
    const receiver = await start([{ kind: 'reset' }, { kind: 'cut-body' }], { tls: true });
    const ca = receiver.certificate ?? '';
    await expect(send(receiver.url, { ca })).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect((await send(receiver.url, { ca })).error).toBeDefined();
  });
});

describe('startTcpServer', () => {
  it('accepts and sends nothing', async () => {
    const server = await startTcpServer();
    open.push(server);
    expect(await staysSilent(`http://${server.address}`)).toBe(true);
  });

  it('calls the callback for each connection', async () => {
    const server = await startTcpServer((socket) => socket.end('HTTP/1.0 204 ok\r\n\r\n'));
    open.push(server);
    expect((await send(`http://${server.address}`)).response.statusCode).toBe(204);
  });
});

it('closes during requests, twice, and frees its port', async () => {
  const receiver = await start({ kind: 'hang' });
  const failed = expect(send(receiver.url)).rejects.toThrow();
  await receiver.waitFor(1);
  await receiver.close();
  await receiver.close();
  await failed;
  const again = await start(200, { port: receiver.port });
  expect(again.port).toBe(receiver.port);
});

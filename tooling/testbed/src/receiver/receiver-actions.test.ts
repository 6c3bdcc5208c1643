import { Agent, type IncomingMessage, request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, send, staysSilent } from '../../test/send.js';
import { type Receiver, startReceiver } from './receiver.js';
import type { Step } from './receiver-script.js';

const open: Receiver[] = [];

async function start(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...args);
  open.push(receiver);
  return receiver;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function answerTo(step: Step): Promise<Answer> {
  return send((await start(step)).url);
}

describe('the actions of the receiver', () => {
  it('responds with status, headers and body, after a delay', async () => {
    const before = performance.now();
    const { response, body } = await answerTo({
      kind: 'respond',
      status: 418,
      headers: { 'retry-after': '3' },
      body: 'tea',
      delayMs: 60,
    });
    expect(performance.now() - before).toBeGreaterThanOrEqual(59);
    expect([response.statusCode, body.toString()]).toEqual([418, 'tea']);
    expect(response.headers['retry-after']).toBe('3');
  });

  it('never responds, or never sends the body', async () => {
    expect(await staysSilent((await start({ kind: 'hang' })).url)).toBe(true);
    const receiver = await start({ kind: 'hang', after: 'head' });
    expect(await staysSilent(receiver.url)).toBe(true);
    const head = new Promise<IncomingMessage>((resolve) => {
      request(receiver.url, resolve)
        .on('error', () => undefined)
        .end();
    });
    expect((await head).statusCode).toBe(200);
  });

  it('closes without a response', async () => {
    await expect(answerTo({ kind: 'close' })).rejects.toThrow('socket hang up');
  });

  it('resets the connection', async () => {
    await expect(answerTo({ kind: 'reset' })).rejects.toMatchObject({
      code: 'ECONNRESET',
      syscall: 'read',
    });
  });

  it.each(['fin', 'reset'] as const)(
    'ends a kept connection with %s after the answer',
    async (closeAfter) => {
      const receiver = await start({ kind: 'respond', closeAfter });
      const agent = new Agent({ keepAlive: true });
      const { response } = await send(receiver.url, { agent });
      expect(response.headers.connection).toBe('keep-alive');
      await expect.poll(() => receiver.connectionsOpen).toBe(0);
      agent.destroy();
    },
  );

  it('redirects', async () => {
    const { response } = await answerTo({ kind: 'redirect', location: '/else', status: 307 });
    expect([response.statusCode, response.headers.location]).toEqual([307, '/else']);
  });

  it('sends a body byte by byte', async () => {
    const before = performance.now();
    const { body } = await answerTo({ kind: 'trickle', body: 'slowly', everyMs: 10 });
    expect(body.toString()).toBe('slowly');
    expect(performance.now() - before).toBeGreaterThanOrEqual(55);
  });

  it('sends the head byte by byte', async () => {
    const before = performance.now();
    expect((await answerTo({ kind: 'slow-head', everyMs: 2 })).response.statusCode).toBe(200);
    expect(performance.now() - before).toBeGreaterThanOrEqual(80);
  });

  it.each([true, false])('sends a huge body (announced: %s)', async (announced) => {
    const { response, body } = await answerTo({ kind: 'huge-body', bytes: 10_000_000, announced });
    expect(body.length).toBe(10_000_000);
    expect(response.headers['content-length']).toBe(announced ? '10000000' : undefined);
  });

  it('sends an endless body until the client disconnects', async () => {
    const receiver = await start({ kind: 'huge-body', bytes: Number.POSITIVE_INFINITY });
    const outgoing = request(receiver.url, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 5_000_000) outgoing.destroy();
      });
    });
    outgoing.on('error', () => undefined).end();
    await receiver.waitFor(1);
    await expect.poll(() => receiver.connectionsOpen).toBe(0);
  });

  it('sends a gzip bomb', async () => {
    const { body } = await answerTo({ kind: 'gzip-bomb', bytes: 20_000_000 });
    expect(body.length).toBeLessThan(50_000);
    expect(gunzipSync(body).length).toBe(20_000_000);
  });

  it.each(['fin', 'reset'] as const)('cuts a chunked body with %s', async (ending) => {
    const { response, error } = await answerTo({ kind: 'cut-body', status: 201, ending });
    expect(response.statusCode).toBe(201);
    expect(error?.code).toBe('ECONNRESET');
  });

  it('announces a wrong length', async () => {
    const { body, error } = await answerTo({
      kind: 'wrong-length',
      announced: '99',
      body: 'short',
    });
    expect([body.toString(), error?.code]).toEqual(['short', 'ECONNRESET']);
    const refused = answerTo({ kind: 'wrong-length', announced: '-1', body: '' });
    await expect(refused).rejects.toMatchObject({ code: 'HPE_INVALID_CONTENT_LENGTH' });
  });

  it('sends huge headers', async () => {
    const { response } = await answerTo({ kind: 'huge-headers', bytes: 200 * 1024 });
    expect(response.rawHeaders.join('').length).toBeGreaterThan(190 * 1024);
  });

  it('sends informational responses', async () => {
    const answer = await answerTo({
      kind: 'informational',
      status: 103,
      times: 3,
      final: { kind: 'respond', status: 202 },
    });
    expect(answer.informational).toEqual([103, 103, 103]);
    expect(answer.response.statusCode).toBe(202);
  });

  it('sends bytes that are not HTTP', async () => {
    await expect(answerTo({ kind: 'raw', data: 'SSH-2.0-x\r\n' })).rejects.toMatchObject({
      code: 'HPE_INVALID_CONSTANT',
    });
  });
});

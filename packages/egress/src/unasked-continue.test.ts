import { type Step, startReceiver, startTcpServer } from '@posthaste/testbed';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failureOf, get, openEgress, post, responseOf, started } from '../test/sending.js';

const goOn = 'HTTP/1.1 100 Continue\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody';

function raw(data: string): Step {
  return { kind: 'raw', data, ending: 'open' };
}

describe('a 100 Continue that was not asked for', () => {
  it.each([
    ['once', goOn],
    ['three times', goOn.repeat(3)],
    ['with headers and a length', 'HTTP/1.1 100 Continue\r\na: b\r\nContent-Length: 9\r\n\r\n'],
    ['without a phrase', 'HTTP/1.1 100\r\n\r\n'],
    ['after early hints', `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${goOn}`],
    ['with an empty line after it', `${goOn}\r\n`],
  ])('%s is ignored, also on a connection that is used again', async (_what, before) => {
    const receiver = await started(startReceiver(raw(before + ok)));
    const egress = openEgress();
    for (const request of [get(receiver.url), post(receiver.url, 'x'), get(receiver.url)]) {
      const response = responseOf(await egress.send(request));
      expect(response).toMatchObject({ statusCode: 200, cut: false, body: Buffer.from('body') });
    }
    expect(receiver.connectionsOpened).toBe(1);
  });

  it('is ignored before an answer to HEAD', async () => {
    const head = 'HTTP/1.1 204 No Content\r\n\r\n';
    const receiver = await started(startReceiver(raw(goOn + head)));
    const outcome = await openEgress().send(get(receiver.url, { method: 'HEAD' }));
    expect(responseOf(outcome).statusCode).toBe(204);
  });

  it('is ignored wherever it is split', async () => {
    const text = `${goOn}HTTP/1.1 103 Early Hints\r\n\r\n${goOn}${ok}`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 6 }), async (places) => {
        const server = await startTcpServer((socket) => {
          socket.setNoDelay(true);
          socket.once('data', () => void writeInPieces(text, places, (part) => socket.write(part)));
        });
        const egress = openEgress();
        const outcome = await egress.send(get(`http://${server.address}/`));
        await egress.close();
        await server.close();
        expect(responseOf(outcome)).toMatchObject({ statusCode: 200, body: Buffer.from('body') });
      }),
      { numRuns: 30 },
    );
  });

  it('leaves the same text in a body as it is', async () => {
    const body = goOn + goOn;
    const receiver = await started(startReceiver({ kind: 'respond', body }));
    expect(responseOf(await openEgress().send(get(receiver.url))).body.toString()).toBe(body);
  });

  it('without end is a failure', async () => {
    const receiver = await started(startReceiver(raw(goOn.repeat(101) + ok)));
    expect(failureOf(await openEgress().send(get(receiver.url)))).toMatchObject({
      reason: 'protocol',
      detail: expect.stringContaining('more than 100 informational responses'),
    });
  });

  it('with nothing after it is a time-out', async () => {
    const receiver = await started(startReceiver(raw(goOn)));
    const outcome = await openEgress().send(get(receiver.url, { timeoutMs: 100 }));
    expect(failureOf(outcome).reason).toBe('timeout');
  });
});

describe('a status that no answer can have', () => {
  const rests = [
    '',
    'Content-Length: 0\r\n',
    'Content-Length: 4\r\n',
    'Connection: close\r\n',
    'Connection: upgrade\r\nUpgrade: websocket\r\n',
  ];
  const endings = ['fin', 'reset', 'open'] as const;

  it.each([
    ['101 Switching Protocols', 'switched to another protocol (status 101)'],
    ['099 Low', 'sent a response with the status 099; a status is 100 to 599'],
    ['000 Nothing', 'sent a response with the status 000; a status is 100 to 599'],
  ])('is a protocol failure that says so: %s', async (status, says) => {
    const egress = openEgress();
    for (const rest of rests) {
      for (const ending of endings) {
        for (const method of ['GET', 'HEAD', 'POST']) {
          const data = `HTTP/1.1 ${status}\r\n${rest}\r\nbody`;
          const receiver = await started(startReceiver({ kind: 'raw', data, ending }));
          const outcome = await egress.send(get(receiver.url, { method }));
          expect(failureOf(outcome)).toMatchObject({ reason: 'protocol', permanent: false });
          expect(failureOf(outcome).detail).toContain(`127.0.0.1:${receiver.port} ${says}`);
          await expect.poll(() => receiver.connectionsOpen).toBe(0);
        }
      }
    }
  });
});

async function writeInPieces(
  text: string,
  places: readonly number[],
  write: (part: string) => void,
): Promise<void> {
  const sorted = [0, ...places, text.length].sort((a, b) => a - b);
  for (const [index, from] of sorted.entries()) {
    const part = text.slice(from, sorted[index + 1] ?? text.length);
    if (part === '') continue;
    write(part);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

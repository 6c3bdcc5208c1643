import { type Step, startReceiver } from '@posthaste/testbed';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { get, openEgress, started } from '../test/sending.js';

/** Pieces that valid and invalid responses are put together from. */
const pieces = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0 500 No\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  'Keep-Alive: timeout=0\r\n',
  '__proto__: x\r\n',
  ': no name\r\n',
  '\r\n',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  'hello',
  '\0\xff\n\r',
];

const response: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('raw'),
  data: fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join('')),
  ending: fc.constantFrom('fin', 'reset', 'open'),
});

it('settles after any response, and releases the connection', async () => {
  const receiver = await started(startReceiver());
  const egress = openEgress({ maxConnectionsPerOrigin: 2 });
  await fc.assert(
    fc.asyncProperty(response, fc.constantFrom('GET', 'HEAD', 'POST'), async (step, method) => {
      receiver.follow((_request, index) => (index === 0 ? 200 : step));
      const send = () => egress.send(get(receiver.url, { method, timeoutMs: 60 }));
      const outcomes = await Promise.all([send(), send(), send(), send()]);
      for (const { kind } of outcomes) expect(['response', 'failure']).toContain(kind);
      expect(egress.stats()).toMatchObject({ exchanges: 0, waiting: 0 });
    }),
    { numRuns: 100 },
  );
  await egress.close();
  expect(egress.stats()).toMatchObject({ connections: 0, idleConnections: 0, origins: 0 });
  await expect.poll(() => receiver.connectionsOpen).toBe(0);
});

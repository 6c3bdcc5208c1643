import { once } from 'node:events';
import { request as sendRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type TestRealtime, useGateways } from '../../test/test-realtime.js';

const body = JSON.stringify({ channel: '/default/a', events: ['1'] });

describeWithPostgres('a credential on its way to a gateway', () => {
  const { open } = useGateways();

  /** Opens a WebSocket, and returns the type of the first frame. */
  async function firstFrame(
    { gateway }: TestRealtime,
    { protocols, headers, query = '' }: Dial,
  ): Promise<string> {
    const url = `${gateway.url.replace('http', 'ws')}/event/realtime${query}`;
    const socket = new WebSocket(url, ['aws-appsync-event-ws', ...protocols], { headers });
    onTestFinished(() => socket.terminate());
    socket.once('open', () => socket.send('{"type":"connection_init"}'));
    const [data] = await once(socket, 'message');
    return JSON.parse(String(data)).type;
  }

  interface Dial {
    readonly protocols: readonly string[];
    readonly headers: Record<string, string>;
    readonly query?: string;
  }

  it.each(['keys', 'loopback'])('comes with an absolute URL as Host: access %s', async (access) => {
    const gateway = await open({ POSTHASTE_ACCESS: access });
    const key = await gateway.createKey();
    const host = `${gateway.gateway.url}/event`;
    const sent = sendRequest(host, { method: 'POST', headers: { host, 'x-api-key': key } });
    sent.end(body);
    const [answer] = await once(sent, 'response');
    expect([answer.statusCode, await text(answer)]).toEqual([
      200,
      expect.stringContaining('"failed":[]'),
    ]);
    const credential = encode({ host, 'x-api-key': key });
    const dial = { protocols: [`header-${credential}`], headers: { host } };
    expect(await firstFrame(gateway, dial)).toBe('connection_ack');
  });

  it('is in no line of the log, accepted or refused, whatever carries it', async () => {
    const gateway = await open({ POSTHASTE_LOG_REQUESTS: 'true' });
    const good = await gateway.createKey();
    const bad = `phk_${'z'.repeat(40)}`;
    for (const key of [good, bad]) {
      const credential = encode({ host: 'localhost', 'x-api-key': key });
      const type = key === good ? 'connection_ack' : 'connection_error';
      const dials: Dial[] = [
        { protocols: [`header-${credential}`], headers: {} },
        { protocols: [], headers: { 'x-api-key': key } },
        { protocols: [], headers: { authorization: `Bearer ${key}` } },
        { protocols: [], headers: {}, query: `?header=${credential}&payload=e30=` },
      ];
      for (const dial of dials) expect(await firstFrame(gateway, dial)).toBe(type);
      expect(await gateway.post(key, '/default/a', '1')).toBe(key === good ? 200 : 401);
      expect(await gateway.post(key, '/default/a', 'no JSON')).toBe(key === good ? 400 : 401);
    }
    await expect.poll(() => JSON.stringify(gateway.logs), { timeout: 30_000 }).toContain('/event');
    const log = JSON.stringify(gateway.logs);
    for (const key of [good, bad]) {
      expect(log).not.toContain(key);
      expect(log).not.toContain(encode({ host: 'localhost', 'x-api-key': key }).slice(0, 40));
    }
  });
});

function encode(headers: object): string {
  return Buffer.from(JSON.stringify(headers)).toString('base64url');
}

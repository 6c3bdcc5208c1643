import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawConnection } from '../../../test/raw-connection.js';
import { openTestEvents, type TestEvents } from '../../../test/test-events.js';

describe('OPTIONS /v1/events', () => {
  let gateway: TestEvents;
  const ask = (headers: Record<string, string>) =>
    gateway.app.inject({ method: 'OPTIONS', url: '/v1/events', headers });

  beforeAll(async () => {
    gateway = await openTestEvents({
      engine: 'embedded',
      environment: {
        POSTHASTE_ACCESS: 'keys',
        POSTHASTE_CORS_ORIGINS: 'https://app.example',
      },
    });
  });
  afterAll(() => gateway.close());

  it('lets a sender of webhooks send, without a key', async () => {
    const answer = await ask({ 'webhook-request-origin': 'sender.example.com' });
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    expect(answer.headers).toMatchObject({
      allow: 'GET, OPTIONS, POST',
      'webhook-allowed-origin': 'sender.example.com',
      'webhook-allowed-rate': '*',
    });
    const rated = await ask({ 'webhook-request-origin': 'a', 'webhook-request-rate': '120' });
    expect(rated.headers['webhook-allowed-rate']).toBe('120');
    const sent = await gateway.call('POST', '/v1/events', { topic: 't', name: 'a' });
    expect(sent).toMatchObject({ status: 401 });
  });

  it('gives no permission to who does not ask for it', async () => {
    const answer = await ask({});
    expect([answer.statusCode, answer.headers.allow]).toEqual([200, 'GET, OPTIONS, POST']);
    expect(answer.headers).not.toHaveProperty('webhook-allowed-origin');
    expect(answer.headers).not.toHaveProperty('webhook-allowed-rate');
  });

  it.each([
    ['webhook-request-origin', { 'webhook-request-origin': 'a b' }],
    ['webhook-request-rate', { 'webhook-request-origin': 'a', 'webhook-request-rate': '0' }],
  ])('refuses a wrong %s', async (header, headers) => {
    const answer = await ask(headers);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      422,
      { code: 'REQUEST_INVALID', details: [{ field: `header.${header}` }] },
    ]);
  });

  it('answers preflight requests of browsers as other routes do', async () => {
    const origin = 'https://app.example';
    const wanted = {
      'access-control-request-headers': 'ce-id',
      'access-control-request-method': 'POST',
    };
    const answer = await ask({ origin, ...wanted });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-headers': 'ce-id',
    });
    expect(answer.statusCode).toBe(200);
    const foreign = await ask({ origin: 'https://other.example', ...wanted });
    expect(foreign.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('attributes in headers', () => {
  it('are answered with 431 over the limit, and refused when they are given twice', async () => {
    const gateway = await openTestEvents({ engine: 'embedded' });
    await gateway.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = gateway.app.server.address() as AddressInfo;
    const send = async (headers: string): Promise<string> => {
      const connection = await rawConnection(port);
      connection.write(
        `POST /v1/events?topic=t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /\r\nce-type: a\r\n${headers}\r\n\r\n`,
      );
      return connection.received;
    };
    expect(await send(`ce-large: ${'x'.repeat(33_000)}`)).toContain('HEADERS_TOO_LARGE');
    const twice = await send('ce-id: 2');
    expect(twice).toContain('422');
    expect(twice).toContain('"field":"header.ce-id"');
    await gateway.close();
  });
});

import { request } from 'node:http';
import { expect, it } from 'vitest';
import { headerProtocol } from '../../test/raw-client.js';
import { startRealtime } from '../../test/test-server.js';

const event = 'aws-appsync-event-ws';

it('takes a Host that is an absolute URL', async () => {
  const server = await startRealtime();
  const headers = { host: `http://localhost:${server.port}/event` };
  const client = await server.open({ headers });
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  await client.next(({ type }) => type === 'subscribe_success');
});

it('takes the credential from the upgrade headers, with only one subprotocol', async () => {
  const server = await startRealtime();
  const client = await server.open({ protocols: [event], headers: { 'x-api-key': 'key' } });
  expect(client.protocol).toBe(event);
});

it.each([
  ['with other case', headerProtocol({ HOST: 'h', 'X-Api-Key': 'key' })],
  ['with text beyond ASCII', headerProtocol({ 'x-api-key': 'key', note: 'größe ?>~' })],
])('takes a credential %s', async (_name, protocol) => {
  const server = await startRealtime();
  const client = await server.open({ protocols: [protocol, event] });
  expect(client.protocol).toBe(event);
});

it('takes padded base64, which no strict parser of subprotocols would', async () => {
  const server = await startRealtime();
  const encoded = Buffer.from('{"x-api-key":"key","a":1}').toString('base64');
  expect(encoded).toMatch(/=$/);
  const status = await new Promise((resolve, reject) => {
    const upgrade = request({
      port: server.port,
      host: '127.0.0.1',
      path: '/event/realtime',
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-protocol': `header-${encoded}, ${event}`,
      },
    });
    upgrade.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve([response.statusCode, response.headers['sec-websocket-protocol']]);
    });
    upgrade.on('response', (response) => resolve([response.statusCode]));
    upgrade.on('error', reject);
    upgrade.end();
  });
  expect(status).toEqual([101, event]);
});

it('answers connection_error if the subprotocol is missing', async () => {
  const server = await startRealtime();
  const client = await server.connect({ protocols: [], headers: { 'x-api-key': 'key' } });
  client.send({ type: 'connection_init' });
  expect(await client.end()).toMatchObject({ code: 1008 });
  const errors = [
    expect.objectContaining({ errorType: 'SubProtocolNotSupportedError', errorCode: 400 }),
  ];
  expect(client.frames).toEqual([{ type: 'connection_error', errors }]);
});

it.each([
  ['an object that is no JSON', 'header-bm8ganNvbg'],
  ['an empty entry', 'header-'],
])('refuses %s', async (_name, entry) => {
  const server = await startRealtime();
  const client = await server.connect({ protocols: [event, entry] });
  client.send({ type: 'connection_init' });
  expect(await client.end()).toMatchObject({ code: 1008 });
  expect(client.frames).toMatchObject([{ type: 'connection_error' }]);
});

it('lets in the origins of its list, and clients that have none', async () => {
  const server = await startRealtime({ allowedOrigins: ['https://app.example'] });
  await server.open({ headers: { origin: 'https://app.example' } });
  await server.open();
  const foreign = server.open({ headers: { origin: 'https://evil.example' } });
  await expect(foreign).rejects.toThrow('403');
});

it('takes headers of 30 KB, and survives those that are larger', async () => {
  const server = await startRealtime();
  await server.open({ headers: { 'x-long': 'x'.repeat(30_000) } });
  await expect(server.open({ headers: { 'x-long': 'x'.repeat(40_000) } })).rejects.toThrow('431');
  await server.open();
});

it('refuses connections above its rate, and other paths', async () => {
  const server = await startRealtime({ limits: { connectsPerSecond: 3 } });
  await expect(server.open({ path: '/event/other' })).rejects.toThrow('404');
  for (let n = 0; n < 3; n += 1) await server.open();
  await expect(server.open()).rejects.toThrow('429');
  await expect
    .poll(
      () =>
        server.open().then(
          () => true,
          () => false,
        ),
      { timeout: 5_000 },
    )
    .toBe(true);
});

it('takes modes that may connect from its options', async () => {
  const server = await startRealtime({ connectionAuthModes: ['AWS_IAM'] });
  const client = await server.connect();
  client.send({ type: 'connection_init' });
  await client.end();
  expect(client.frames).toMatchObject([
    { type: 'connection_error', errors: [{ errorType: 'UnauthorizedException', errorCode: 403 }] },
  ]);
});

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { framesOf, last, plain, reasonOf } from '../test/open-client.js';
import { type ScriptedServer, startScripted } from '../test/scripted-server.js';
import {
  type ClientOptions,
  connect,
  createApiKeyConfig,
  createConfig,
  createWebSocketClient,
  dialWebSocket,
} from './index.js';

/** Request that a server has got. */
interface Posted {
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Starts a server of `POST /event`. */
async function startHttp(answer: (posted: Posted, response: ServerResponse) => void) {
  const posted: Posted[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url, headers } = request;
    posted.push({ url, headers, body: Buffer.concat(chunks).toString() });
    answer(posted.at(-1) as Posted, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { posted, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const accept = (_: Posted, response: ServerResponse) =>
  response.end(JSON.stringify({ successful: [{ identifier: 'a', index: 0 }], failed: [] }));

async function open(host: string, socket: ScriptedServer, options: ClientOptions) {
  const config = createApiKeyConfig(host, socket.endpoint, 'k', plain);
  const client = await connect(config, { reconnect: { initialMs: 60_000 }, ...options });
  onTestFinished(() => client.close());
  return client;
}

describe('publishing over HTTP', () => {
  it('sends the headers of the credential, and reads the result', async () => {
    const { posted, host } = await startHttp(accept);
    const client = await open(`${host}/prefix`, await startScripted(), { publishOver: 'http' });
    expect(await client.publish('default/a', ['1'])).toMatchObject({ successIndexes: [0] });
    expect(posted).toMatchObject([
      {
        url: '/prefix/event',
        headers: { 'x-api-key': 'k', 'content-type': 'application/json', host },
        body: '{"channel":"/default/a","events":["1"]}',
      },
    ]);
  });

  it.each([
    [401, JSON.stringify({ errors: [{ errorType: 'UnauthorizedException', message: 'no' }] })],
    [502, '<html>'],
    [429, ''],
  ])('rejects an answer of %i with the errors in it', async (status, body) => {
    const { host } = await startHttp((_, response) => response.writeHead(status).end(body));
    const client = await open(host, await startScripted(), { publishOver: 'http' });
    const errorType = status === 401 ? 'UnauthorizedException' : 'HttpError';
    await expect(client.publish('/default/a', ['1'])).rejects.toMatchObject({
      reason: 'server_error',
      errors: [{ errorType, errorCode: status }],
    });
  });

  it('rejects an answer that is no JSON, and a server that is away', async () => {
    const { host } = await startHttp((_, response) => response.end('<html>'));
    const client = await open(host, await startScripted(), { publishOver: 'http' });
    const page = client.publish('/default/a', ['1']);
    await expect(page).rejects.toThrow(reasonOf('unsupported_message_format'));
    const away = await open('127.0.0.1:1', await startScripted(), { publishOver: 'http' });
    await expect(away.publish('/default/a', ['1'])).rejects.toThrow(reasonOf('receive_failed'));
  });

  it('ends at its time, or when its caller aborts', async () => {
    const { posted, host } = await startHttp(() => undefined);
    const client = await open(host, await startScripted(), { publishOver: 'http' });
    const late = client.publish('/default/a', ['1'], { timeoutMs: 50 });
    await expect(late).rejects.toThrow(reasonOf('timed_out'));
    const abort = new AbortController();
    const aborted = client.publish('/default/a', ['2'], { signal: abort.signal });
    await expect.poll(() => posted.at(-1)?.body).toContain('"2"');
    abort.abort();
    await expect(aborted).rejects.toThrow(reasonOf('context_ended'));
  });

  it('renews a credential that is refused, once', async () => {
    const { posted, host } = await startHttp((request, response) => {
      if (request.headers.authorization === 'fresh') accept(request, response);
      else response.writeHead(401).end('{"errors":[{"errorType":"UnauthorizedException"}]}');
    });
    const socket = await startScripted();
    const config = createConfig(
      [host, socket.endpoint],
      ({ isRefused }) => ({ Authorization: isRefused ? 'fresh' : 'stale' }),
      plain,
    );
    const client = await connect(config, { publishOver: 'http' });
    onTestFinished(() => client.close());
    expect(await client.publish('/default/a', ['1'])).toMatchObject({ successIndexes: [0] });
    expect(posted.map(({ headers }) => headers.authorization)).toEqual(['stale', 'fresh']);
  });

  it('uses the `fetch` that it is given', async () => {
    const urls: unknown[] = [];
    const fetch: typeof globalThis.fetch = async (url) => {
      urls.push(url);
      return Response.json({ successful: [], failed: [] });
    };
    const client = await open('h', await startScripted(), { fetch });
    await client.publish('/default/a', ['1'], { over: 'http' });
    expect(urls).toEqual(['http://h/event']);
  });
});

describe('publishing over `any`', () => {
  it('uses the socket while it is open, and HTTP while it is not', async () => {
    const { posted, host } = await startHttp(accept);
    const socket = await startScripted();
    const client = await open(host, socket, { publishOver: 'any' });
    await client.publish('/default/a', ['1']);
    expect(framesOf(last(socket), 'publish')).toHaveLength(1);
    expect(posted).toHaveLength(0);
    last(socket).cut();
    await expect.poll(() => client.state).toBe('reconnecting');
    expect(await client.publish('/default/a', ['2'])).toMatchObject({ successIndexes: [0] });
    expect(posted.map(({ body }) => body)).toEqual(['{"channel":"/default/a","events":["2"]}']);
    client.close();
    await expect(client.publish('/default/a', ['3'], { over: 'http' })).rejects.toThrow(
      reasonOf('connection_closed'),
    );
  });

  it('is the socket alone without an address for HTTP', async () => {
    const socket = await startScripted();
    const connection = await dialWebSocket(
      createApiKeyConfig(socket.endpoint, undefined, 'k', plain),
    );
    const client = createWebSocketClient(connection, { 'x-api-key': 'k' });
    onTestFinished(() => client.close());
    await client.publish('/default/a', ['1'], { over: 'any' });
    await expect(client.publish('/default/a', ['1'], { over: 'http' })).rejects.toThrow(
      'HTTP needs a configuration',
    );
    expect(framesOf(last(socket), 'publish')).toHaveLength(1);
  });
});

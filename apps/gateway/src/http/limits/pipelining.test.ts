import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { type RawConnection, rawConnection } from '../../../test/raw-connection.js';
import { testServer } from '../../../test/test-server.js';
import type { App } from '../../app.js';

interface Started {
  readonly port: number;
  /** Paths of the requests whose handler was called, in that order. */
  readonly begun: string[];
  /** Lets the handlers of `/held/…` answer. */
  release(): void;
  connections(): Promise<number>;
}

/** Starts a server whose routes answer with the last part of their path. */
async function start(environment: Record<string, string> = {}): Promise<Started> {
  const begun: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const config = { scope: 'public', application: 'none', audit: 'none' } as const;
  const routes = (app: App): void => {
    app.addHook('preHandler', async ({ url }) => void begun.push(url));
    app.get<{ Params: { name: string } }>('/quick/:name', { config }, ({ params }) => params.name);
    app.get<{ Params: { name: string } }>('/held/:name', { config }, async ({ params }) => {
      await released;
      return params.name;
    });
    app.get('/long/:name', { config }, () => 'x'.repeat(8 * 1_048_576));
    app.post<{ Body: { name: string } }>('/named', { config }, ({ body }) => body.name);
  };
  const { app } = await testServer(environment, { routes: [routes] });
  onTestFinished(() => app.close());
  onTestFinished(() => release());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const connections = promisify(app.server.getConnections.bind(app.server));
  return { port, begun, release, connections };
}

async function connect({ port }: Started): Promise<RawConnection> {
  const connection = await rawConnection(port);
  onTestFinished(() => connection.close());
  return connection;
}

const get = (path: string, header = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n`;
const last = 'Connection: close\r\n';
const numbered = (count: number, path: string): string[] =>
  Array.from({ length: count }, (_, i) => `${path}/${i}`);

/** Returns the bodies of short answers. */
const bodiesOf = (received: string): string[] =>
  [...received.matchAll(/\r\n\r\n([\s\S]*?)(?=HTTP\/1\.1 |$)/g)].map(([, body]) => `${body}`);

/** Waits until the server has served another connection, twice: it has read what came before. */
async function pass({ port }: Started): Promise<void> {
  for (let i = 0; i < 2; i += 1) await fetch(`http://127.0.0.1:${port}/quick/passed`);
}

const withoutPassed = ({ begun }: Started): string[] =>
  begun.filter((path) => path !== '/quick/passed');

it('works on four requests of a connection at a time, and answers all in their order', async () => {
  const server = await start();
  const connection = await connect(server);
  const paths = numbered(10, '/held');
  connection.write(paths.map((path, i) => get(path, i === 9 ? last : '')).join(''));
  await expect.poll(() => server.begun.length).toBe(4);
  await pass(server);
  expect(withoutPassed(server)).toEqual(paths.slice(0, 4));
  server.release();
  expect(bodiesOf(await connection.received)).toEqual(paths.map((_, i) => `${i}`));
});

it('closes the connection after 16 answers when more requests are in hand', async () => {
  const server = await start();
  const connection = await connect(server);
  connection.write(
    numbered(1_500, '/held')
      .map((path) => get(path))
      .join(''),
  );
  await expect.poll(() => server.begun.length).toBe(4);
  // What comes later, whatever it is, does not cost the others their answers.
  connection.write('no request at all\r\n\r\n');
  await pass(server);
  server.release();
  const received = await connection.received;
  expect(bodiesOf(received)).toEqual(numbered(16, '').map((path) => path.slice(1)));
  expect(received.match(/connection: close/gi)).toHaveLength(1);
  expect(withoutPassed(server)).toEqual(numbered(16, '/held'));
});

it('closes it also when only the first request has begun its answer', async () => {
  const server = await start({ POSTHASTE_MAX_PIPELINED: '1' });
  const connection = await connect(server);
  connection.socket.pause();
  connection.write(get('/long/0') + get('/quick/1'));
  await pass(server);
  connection.socket.resume();
  expect((await connection.received).length).toBeGreaterThan(8 * 1_048_576);
  expect(withoutPassed(server)).toEqual(['/long/0']);
});

it('does not count requests that were answered', async () => {
  const server = await start();
  const connection = await connect(server);
  let answers = 0;
  connection.socket.on('data', (chunk: Buffer) => {
    answers += `${chunk}`.split('HTTP/1.1 200').length - 1;
  });
  for (let round = 1; round <= 20; round += 1) {
    connection.write(get('/quick/a') + get('/quick/b') + get('/quick/c'));
    await expect.poll(() => answers).toBe(round * 3);
  }
  connection.write(get('/quick/d', last));
  expect(bodiesOf(await connection.received)).toHaveLength(61);
});

it('begins nothing more for a client that does not read, until it reads', async () => {
  const server = await start();
  const connection = await connect(server);
  connection.socket.pause();
  connection.write(
    numbered(12, '/long')
      .map((path, i) => get(path, i === 11 ? last : ''))
      .join(''),
  );
  await expect.poll(() => server.begun.length).toBeGreaterThan(0);
  await pass(server);
  expect(withoutPassed(server).length).toBeLessThanOrEqual(4);
  connection.socket.resume();
  expect((await connection.received).match(/HTTP\/1\.1 200/g)).toHaveLength(12);
});

it('begins nothing more for a client that is gone', async () => {
  const server = await start();
  const connection = await connect(server);
  connection.write(
    numbered(10, '/held')
      .map((path) => get(path))
      .join(''),
  );
  await expect.poll(() => server.begun.length).toBe(4);
  connection.close();
  await expect.poll(() => server.connections()).toBe(0);
  server.release();
  await pass(server);
  expect(withoutPassed(server)).toHaveLength(4);
});

it('keeps the bodies of requests that wait', async () => {
  const server = await start();
  const connection = await connect(server);
  const names = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(30_000));
  const posts = names.map((name) => {
    const body = JSON.stringify({ name });
    return `POST /named HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
  connection.write(get('/held/first') + posts.join('') + get('/quick/end', last));
  await expect.poll(() => server.begun.length).toBeGreaterThan(0);
  server.release();
  expect(bodiesOf(await connection.received)).toEqual(['first', ...names, 'end']);
});

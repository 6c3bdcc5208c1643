import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import {
  type Authorizer,
  createRealtimeServer,
  type Identity,
  RealtimeError,
  type RealtimeServer,
  type RealtimeServerOptions,
} from '../src/index.js';
import { connectRaw, type RawClient, type RawClientOptions } from './raw-client.js';

/** Realtime server on a port of its own. */
export interface TestServer {
  readonly realtime: RealtimeServer;
  readonly http: Server;
  readonly port: number;
  connect(options?: Omit<RawClientOptions, 'port'>): Promise<RawClient>;
  /** Connects, and waits for the acknowledgement. */
  open(options?: Omit<RawClientOptions, 'port'>): Promise<RawClient>;
  /** Publishes by HTTP. */
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** Authorizer of `x-api-key` with an identity for each key. Keys can be added and removed. */
export function apiKeys(keys: Record<string, Partial<Identity>>): Authorizer {
  const known = new Map<string, Identity>();
  return {
    mode: 'API_KEY',
    accepts: (headers) => headers['x-api-key'] !== undefined,
    authorize({ headers }) {
      const key = headers['x-api-key'] ?? '';
      if (!(key in keys)) throw new RealtimeError('UnauthorizedException', 401, 'No such key.');
      const identity = known.get(key) ?? { mode: 'API_KEY', id: key, realm: '', ...keys[key] };
      known.set(key, identity);
      return identity;
    },
    isValid: (identity) => identity.id in keys,
  };
}

const openServers: TestServer[] = [];

afterEach(async () => {
  for (const { realtime, http } of openServers.splice(0)) {
    const closing = realtime.close({ drainMs: 0 });
    http.close();
    http.closeAllConnections();
    await closing;
  }
});

/** Starts a server with the key `key` and the namespaces `default` and `stored`. */
export async function startRealtime(
  options: Partial<RealtimeServerOptions> = {},
): Promise<TestServer> {
  const realtime = createRealtimeServer({
    authorizers: [apiKeys({ key: {} })],
    namespaces: [{ name: 'default', durable: false }, { name: 'stored' }],
    ...options,
  });
  const http = createServer({ maxHeaderSize: 32_768 });
  realtime.attach(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const connect: TestServer['connect'] = (given) => connectRaw({ port, ...given });
  const server: TestServer = {
    realtime,
    http,
    port,
    connect,
    async open(given) {
      const client = await connect(given);
      client.send({ type: 'connection_init' });
      await client.next((frame) => frame.type === 'connection_ack');
      return client;
    },
    post: (body, headers = { 'x-api-key': 'key' }) =>
      fetch(`http://127.0.0.1:${port}/event`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
  openServers.push(server);
  return server;
}

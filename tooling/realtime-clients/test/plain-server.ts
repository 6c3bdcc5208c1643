import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createApiKeyAuthorizer,
  createRealtimeServer,
  type RealtimeServer,
  type RealtimeServerOptions,
} from '@posthaste/appsync-server';
import { onTestFinished } from 'vitest';

/** Options of `startPlainServer`: those of the server, and its keys. */
export interface PlainServerOptions extends Partial<RealtimeServerOptions> {
  /** Default `da2-test`. */
  readonly keys?: readonly string[];
  /** Default: a free port. */
  readonly port?: number;
}

/** Realtime server without TLS. */
export interface PlainServer {
  readonly realtime: RealtimeServer;
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly port: number;
  /** Upgrades so far. */
  upgrades(): number;
  /** Cuts the TCP connections of all WebSockets. */
  cut(): void;
  /** Ends it at once, as a process that is killed. Idempotent. */
  close(): Promise<void>;
}

/** Starts a server with the namespaces `default`, and `private` that refuses every subscriber. */
export async function startPlainServer(options: PlainServerOptions = {}): Promise<PlainServer> {
  const { keys = ['da2-test'], port = 0, ...rest } = options;
  const realtime = createRealtimeServer({
    authorizers: [createApiKeyAuthorizer([...keys])],
    namespaces: [
      { name: 'default' },
      { name: 'private', handlers: { onSubscribe: (context) => context.unauthorized() } },
    ],
    ...rest,
  });
  const http: Server = createServer({ maxHeaderSize: 32_768 });
  const sockets = new Set<{ destroy(): void }>();
  let upgrades = 0;
  http.on('upgrade', ({ socket }) => {
    upgrades += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  realtime.attach(http);
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async (): Promise<void> => {
    http.close();
    http.closeAllConnections();
    cut();
    await realtime.close({ drainMs: 0 });
  };
  onTestFinished(close);
  const bound = (http.address() as AddressInfo).port;
  return {
    ...{ realtime, cut, close, port: bound, host: `127.0.0.1:${bound}` },
    upgrades: () => upgrades,
  };
}

import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createRealtimeServer, type Namespace, RealtimeError } from '@posthaste/appsync-server';
import { PlatformError } from '@posthaste/contracts';
import { type Certificate, loadCertificate } from './certificate.js';
import { createEmulatorAuthorizers, type LoggedOperation } from './emulator-authorizers.js';
import type { EmulatorConfig } from './emulator-config.js';

/** Largest headers of a request, in bytes: tokens travel in them. */
const maxHeaderSize = 32_768;

/** Entry of the live log. */
export type EmulatorEntry =
  | LoggedOperation
  | { readonly operation: 'open' | 'close'; readonly connections: number }
  | { readonly operation: 'refuse'; readonly channel: string; readonly reason: string }
  | { readonly operation: 'fault'; readonly reason: string };

/** Options of {@link startEmulator}. */
export interface EmulatorOptions {
  readonly config: EmulatorConfig;
  readonly host: string;
  /** 0 is a free one. */
  readonly port: number;
  readonly tls: boolean;
  readonly strictAws: boolean;
  readonly onEntry: (entry: EmulatorEntry) => void;
}

/** Running emulator. */
export interface Emulator {
  /** Endpoint for clients: `https://localhost:9443/event`. */
  readonly endpoint: string;
  /** File with the certificate; undefined without TLS. */
  readonly certificateFile: string | undefined;
  close(): Promise<void>;
}

/**
 * Starts a server of the protocol with nothing behind it: events are in memory.
 * @throws PlatformError `LISTEN_FAILED`, `OPTION_INVALID`
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { config, host, port, tls, strictAws, onEntry } = options;
  const realtime = createRealtimeServer({
    authorizers: createEmulatorAuthorizers(config, onEntry),
    namespaces: (config.namespaces ?? ['default']).map((each) => toNamespace(each, onEntry)),
    connectionAuthModes: config.connectionAuthModes,
    defaultPublishAuthModes: config.defaultPublishAuthModes,
    defaultSubscribeAuthModes: config.defaultSubscribeAuthModes,
    limits: config.limits,
    strictAws,
    onError: (error) => onEntry({ operation: 'fault', reason: reasonOf(error) }),
  });
  const certificate: Certificate | undefined = tls ? await loadCertificate(host) : undefined;
  const server = certificate
    ? createTlsServer({ ...certificate, maxHeaderSize })
    : createServer({ maxHeaderSize });
  realtime.attach(server);
  server.on('upgrade', ({ url }, socket) => {
    // The server of the protocol leaves it to this listener.
    if (url?.split('?', 1)[0] !== '/event/realtime') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const report = (operation: 'open' | 'close') => () =>
      onEntry({ operation, connections: realtime.counts().connections });
    setImmediate(report('open'));
    socket.once('close', () => setImmediate(report('close')));
  });
  await realtime.ready;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(toListenError(error, { host, port })));
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  const shown = host === '127.0.0.1' || host === '::1' ? 'localhost' : host;
  return {
    endpoint: `${tls ? 'https' : 'http'}://${shown}:${actual}/event`,
    certificateFile: certificate?.file,
    async close() {
      await realtime.close({ drainMs: 0 });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Returns the namespace with handlers that report what they refuse. */
function toNamespace(named: string | Namespace, onEntry: EmulatorOptions['onEntry']): Namespace {
  if (typeof named === 'string') return { name: named };
  const { onPublish, onSubscribe } = named.handlers ?? {};
  return {
    ...named,
    handlers: {
      ...(onPublish && { onPublish: reporting(onPublish, onEntry) }),
      ...(onSubscribe && { onSubscribe: reporting(onSubscribe, onEntry) }),
    },
  };
}

function reporting<
  Context extends { readonly info: { readonly channel: { readonly path: string } } },
  Result,
>(
  handler: (context: Context) => Result | Promise<Result>,
  onEntry: EmulatorOptions['onEntry'],
): (context: Context) => Promise<Result> {
  return async (context) => {
    try {
      return await handler(context);
    } catch (error) {
      const reason = error instanceof RealtimeError ? error.message : reasonOf(error);
      onEntry({ operation: 'refuse', channel: context.info.channel.path, reason });
      throw error;
    }
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function toListenError(
  error: NodeJS.ErrnoException,
  { host, port }: Pick<EmulatorOptions, 'host' | 'port'>,
): PlatformError {
  const taken = 'is taken by another process. Stop that one, or give another --port';
  const reason = error.code === 'EADDRINUSE' ? taken : `cannot be listened on: ${error.message}`;
  return new PlatformError('LISTEN_FAILED', `${host}:${port} ${reason}.`, { cause: error });
}

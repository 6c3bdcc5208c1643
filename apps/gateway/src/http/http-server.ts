import { createServer, type RequestListener, type Server } from 'node:http';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../config.js';
import { limitConnectionsPerAddress } from './limits/connections-per-address.js';
import { PipeliningLimit } from './limits/pipelining.js';

/** Requests after which a connection is closed, so that clients connect to new gateways too. */
const maxRequestsPerSocket = 100_000;

/** Users of an HTTP server. */
export interface HttpServerUsers {
  /** Begins a request. */
  readonly begin: RequestListener;
  readonly logger: Logger;
}

/**
 * Creates the HTTP server of the gateway, with its limits of connections, headers and time. A server
 * that listens on `localhost` has one for each address of it.
 */
export function createHttpServer(
  config: GatewayConfig,
  { begin, logger }: HttpServerUsers,
): Server {
  const pipelining = new PipeliningLimit(config.maxPipelined, begin);
  const server = createServer(
    {
      maxHeaderSize: config.maxHeaderBytes,
      headersTimeout: config.headersTimeoutMs,
      requestTimeout: config.requestTimeoutMs,
      keepAliveTimeout: config.keepAliveTimeoutMs,
      // Others ask for HTTP/2 (`h2c`), as the client of Java does, and are answered as they are.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
      // Longest delay until a timeout is noticed.
      connectionsCheckingInterval: Math.min(1_000, config.headersTimeoutMs / 4),
    },
    pipelining.onRequest,
  );
  server.setTimeout(config.stallTimeoutMs);
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  server.maxConnections = config.maxConnections;
  limitConnectionsPerAddress(server, config, logger);
  pipelining.attach(server);
  return server;
}

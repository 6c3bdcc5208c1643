import { createServer, type RequestListener, type Server } from 'node:http';
import type { GatewayConfig } from '../config.js';
import { PipeliningLimit } from './pipelining.js';

/** Requests after which a connection is closed, so that clients connect to new gateways too. */
const maxRequestsPerSocket = 100_000;

/**
 * Creates the HTTP server of the gateway, with its limits of connections, headers and time. A server
 * that listens on `localhost` has one for each address of it.
 * @param begin begins a request
 */
export function createHttpServer(config: GatewayConfig, begin: RequestListener): Server {
  const pipelining = new PipeliningLimit(config.maxPipelined, begin);
  const server = createServer(
    {
      maxHeaderSize: config.maxHeaderBytes,
      headersTimeout: config.headersTimeoutMs,
      requestTimeout: config.requestTimeoutMs,
      keepAliveTimeout: config.keepAliveTimeoutMs,
      // Longest delay until a timeout is noticed.
      connectionsCheckingInterval: Math.min(1_000, config.headersTimeoutMs / 4),
    },
    pipelining.onRequest,
  );
  server.setTimeout(config.stallTimeoutMs);
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  server.maxConnections = config.maxConnections;
  pipelining.attach(server);
  return server;
}

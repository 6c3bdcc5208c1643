import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { createNetworkCheck, toClientNetwork } from '../client-address.js';
import { RepeatedWarnings } from '../repeated-warnings.js';

/** Time between two warnings about an address with too many connections, in ms. */
const warnEveryMs = 60_000;

/** Options of `limitConnectionsPerAddress`. */
export interface ConnectionsPerAddress {
  /** Most connections of one address, or of one IPv6 /64 network. 0 is no limit. */
  readonly maxConnectionsPerAddress: number;
  /** Proxies, which carry the connections of many clients and have no limit. */
  readonly trustedProxies: readonly string[];
}

/** Closes new connections of an address that has as many as it may have, at once. */
export function limitConnectionsPerAddress(
  server: Server,
  { maxConnectionsPerAddress: limit, trustedProxies }: ConnectionsPerAddress,
  logger: Logger,
): void {
  if (limit === 0) return;
  const isProxy = createNetworkCheck(trustedProxies);
  const counts = new Map<string, number>();
  const warnings = new RepeatedWarnings(undefined, warnEveryMs);
  server.on('connection', (socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || isProxy(remoteAddress)) return;
    const address = toClientNetwork(remoteAddress);
    const count = counts.get(address) ?? 0;
    if (count >= limit) {
      socket.destroy();
      const message = `${address} has ${limit} connections, as many as one address may have (POSTHASTE_MAX_CONNECTIONS_PER_ADDRESS); further ones are closed`;
      warnings.warn(logger, 'connections per address', message);
      return;
    }
    counts.set(address, count + 1);
    socket.once('close', () => {
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) counts.delete(address);
      else counts.set(address, left);
    });
  });
}

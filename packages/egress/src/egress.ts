import { PlatformError } from '@posthaste/contracts';
import type { AddressGuard } from './address-guard.js';
import { ConnectionPool, type ConnectionPoolStats } from './connection-pool.js';
import { createDial } from './dial.js';
import { Exchange } from './exchange.js';
import type { Failure } from './failure.js';
import type { EgressOutcome } from './outcome.js';
import { type EgressRequest, toRawHeaders } from './request.js';
import { createTargetParser } from './target.js';

const closedFailure: Failure = {
  reason: 'unknown',
  detail: 'the HTTP client was closed before the request ended',
  permanent: false,
};

/** Options of `createEgress`. */
export interface EgressOptions {
  /** Decides which addresses the client may connect to. */
  readonly guard: AddressGuard;
  /** Most sockets to one scheme, host and port; further requests wait. Default 64. */
  readonly maxConnectionsPerOrigin?: number;
  /** Most sockets that are kept open without a request, over all origins. Default 256. */
  readonly maxIdleConnections?: number;
  /** Time after which a socket without a request is closed, in ms. Default 4,000. */
  readonly keepAliveMs?: number;
  /** Size limit of the response head, in bytes. Default 16,384. */
  readonly maxHeaderBytes?: number;
  /** Longest time that `close` waits for running requests before it ends them, in ms. Default 10,000. */
  readonly closeTimeoutMs?: number;
  /** PEM certificates that are trusted besides the roots that come with Node. Default: none. */
  readonly ca?: readonly string[];
}

/** HTTP/1.1 client for URLs that untrusted callers choose. */
export interface Egress {
  /** Sends one request and resolves to its outcome. Never rejects. */
  send(request: EgressRequest): Promise<EgressOutcome>;
  stats(): ConnectionPoolStats;
  /** Waits for running requests, up to `closeTimeoutMs`, and closes all sockets. Idempotent. */
  close(): Promise<void>;
}

/**
 * Creates an HTTP client that connects only to addresses that the guard allows.
 * @throws PlatformError `OPTION_INVALID` for an option that is not a positive integer
 */
export function createEgress(options: EgressOptions): Egress {
  const { guard, ca = [] } = options;
  const closeTimeoutMs = positive('closeTimeoutMs', options.closeTimeoutMs, 10_000);
  const pool = new ConnectionPool({
    dial: createDial(guard, ca),
    maxConnectionsPerOrigin: positive(
      'maxConnectionsPerOrigin',
      options.maxConnectionsPerOrigin,
      64,
    ),
    maxIdleConnections: positive('maxIdleConnections', options.maxIdleConnections, 256),
    keepAliveMs: positive('keepAliveMs', options.keepAliveMs, 4_000),
    maxHeaderBytes: positive('maxHeaderBytes', options.maxHeaderBytes, 16_384),
  });
  const parseTarget = createTargetParser();
  let closed: Promise<void> | undefined;

  return {
    send(request) {
      if (closed !== undefined) return Promise.resolve(unsent(closedFailure));
      const target = parseTarget(request.url);
      if ('problem' in target) {
        const { problem: detail } = target;
        return Promise.resolve(unsent({ reason: 'protocol', detail, permanent: true }));
      }
      const headers = toRawHeaders(request.headers);
      if ('reason' in headers) return Promise.resolve(unsent(headers));
      return new Promise((resolve) => {
        pool.submit(new Exchange({ request, target, headers, pool, onSettled: resolve }));
      });
    },
    stats: () => pool.stats(),
    close() {
      closed ??= pool.close(closeTimeoutMs, closedFailure);
      return closed;
    },
  };
}

/** Returns the outcome of a request that was refused before it got to the pool. */
function unsent(failure: Failure): EgressOutcome {
  return { kind: 'failure', ...failure, resent: false, durationNs: 0n };
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (Number.isInteger(value) && value > 0) return value;
  throw new PlatformError('OPTION_INVALID', `${name} must be a positive integer, not ${value}`);
}

import { PlatformError } from '@posthaste/contracts';
import type { AddressGuard } from './address-guard.js';
import { ConnectionPool, type ConnectionPoolStats } from './connection-pool.js';
import { createDial } from './dial.js';
import { type EgressOutcome, type EgressRequest, Exchange } from './exchange.js';
import type { Failure } from './failure.js';
import { toRawHeaders } from './request-headers.js';
import { createTargetParser } from './target.js';

const closedFailure: Failure = {
  reason: 'unknown',
  detail: 'the HTTP client was closed before the request was made',
  permanent: false,
};

export interface EgressOptions {
  /** Decides which addresses are connected to. */
  readonly guard: AddressGuard;
  /** Sockets to one scheme, host and port; requests beyond wait. Default: 64. */
  readonly maxConnectionsPerOrigin?: number;
  /** Sockets kept open without a request, over all origins. Default: 256. */
  readonly maxIdleConnections?: number;
  /** How long a socket is kept without a request, in ms. Default: 4,000. */
  readonly keepAliveMs?: number;
  /** Size limit of an answer's head, in bytes. Default: 16,384. */
  readonly maxHeaderBytes?: number;
  /** How long `close` waits for requests under way before it ends them, in ms. Default: 10,000. */
  readonly closeTimeoutMs?: number;
  /** PEM certificates trusted besides the roots that come with Node. Default: none. */
  readonly ca?: readonly string[];
}

/** An HTTP/1.1 client for addresses that strangers choose. */
export interface Egress {
  /** Makes one request and tells how it went. Never rejects. */
  send(request: EgressRequest): Promise<EgressOutcome>;
  stats(): ConnectionPoolStats;
  /** Waits for requests under way, up to `closeTimeoutMs`, and closes all sockets. Idempotent. */
  close(): Promise<void>;
}

/** @throws PlatformError `OPTION_INVALID` for an option that is not a positive integer */
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
        pool.submit(new Exchange(request, { target, headers }, pool, resolve));
      });
    },
    stats: () => pool.stats(),
    close() {
      closed ??= pool.close(closeTimeoutMs, closedFailure);
      return closed;
    },
  };
}

/** The outcome of a request that never got as far as a connection. */
function unsent(failure: Failure): EgressOutcome {
  return { kind: 'failure', ...failure, resent: false, durationNs: 0n };
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (Number.isInteger(value) && value > 0) return value;
  throw new PlatformError('OPTION_INVALID', `${name} must be a positive integer, not ${value}`);
}

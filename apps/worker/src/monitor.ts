import { createServer, type ServerResponse } from 'node:http';
import { PlatformError } from '@posthaste/contracts';
import { Registry } from 'prom-client';

/** A small server for those who watch the process. */
export interface Monitor {
  readonly url: string;
  close(): Promise<void>;
}

/** Something without which the worker's work is not done. */
export interface MonitorCheck {
  readonly name: string;
  /** Resolves when it is there; how it rejects is reported by code. */
  check(): Promise<void>;
}

const checkTimeoutMs = 2_000;

/**
 * Answers `/health/live`, `/health/ready` (503 while a check fails, and which) and `/metrics`.
 * @throws PlatformError `LISTEN_FAILED`
 */
export async function startMonitor(
  address: { readonly host: string; readonly port: number },
  checks: readonly MonitorCheck[],
  /** The text of `/metrics`. */
  metrics: () => Promise<string>,
): Promise<Monitor> {
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/health/live': async (response) => sendJson(response, 200, { live: true }),
    '/health/ready': async (response) => {
      const reports = await Promise.all(checks.map(toReport));
      const isReady = reports.every(({ ready }) => ready);
      sendJson(response, isReady ? 200 : 503, { ready: isReady, checks: reports });
    },
    '/metrics': async (response) => {
      const text = await metrics();
      response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE });
      response.end(text);
    },
  };
  const server = createServer((request, response) => {
    const answer = answers[request.url?.split('?')[0] ?? ''];
    if (!answer) return sendJson(response, 404, { code: 'ROUTE_NOT_FOUND' });
    answer(response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `http://${address.host}:${address.port} cannot be listened on: ${cause.message}. Set POSTHASTE_WORKER_PORT to another port.`;
      reject(new PlatformError('LISTEN_FAILED', message, { cause }));
    });
    server.listen(address.port, address.host, resolve);
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return {
    url: `http://${address.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface CheckReport {
  readonly name: string;
  readonly ready: boolean;
  /** Why not. */
  readonly code?: string;
}

async function toReport({ name, check }: MonitorCheck): Promise<CheckReport> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new PlatformError('STREAM_UNAVAILABLE', `${name} does not answer`));
  }, checkTimeoutMs);
  try {
    await Promise.race([check(), late.promise]);
    return { name, ready: true };
  } catch (error) {
    return { name, ready: false, code: error instanceof PlatformError ? error.code : 'INTERNAL' };
  } finally {
    clearTimeout(timer);
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

import { createServer, type ServerResponse } from 'node:http';
import { PlatformError } from '@posthaste/contracts';
import { createReadiness, liveReport, type ReadinessCheck } from '@posthaste/service';
import { Registry } from 'prom-client';

/** HTTP server for monitoring a worker process. */
export interface Monitor {
  /** Address with the port that it really has: `http://127.0.0.1:9090`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts a server for `/metrics` and, in the same form as a gateway, `/health/live` and
 * `/health/ready` (503 with the failed checks while one fails).
 * @throws PlatformError `LISTEN_FAILED`
 */
export async function startMonitor(
  address: { readonly host: string; readonly port: number },
  checks: readonly ReadinessCheck[],
  /** Returns the text of `/metrics`. */
  metrics: () => Promise<string>,
): Promise<Monitor> {
  const readiness = createReadiness(checks);
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/health/live': async (response) => sendJson(response, 200, liveReport),
    '/health/ready': async (response) => {
      const report = await readiness();
      sendJson(response, report.status === 'ready' ? 200 : 503, report);
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
      const message = `the worker cannot listen on http://${address.host}:${address.port}: ${cause.message}. Set POSTHASTE_WORKER_PORT to another port.`;
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

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

import { createServer, type ServerResponse } from 'node:http';
import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { Registry } from 'prom-client';

/** A small server for those who watch the process. */
export interface Monitor {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Answers `/health/live`, `/health/ready` (503 while the database is away) and `/metrics`.
 * @throws PlatformError `LISTEN_FAILED`
 */
export async function startMonitor(
  address: { readonly host: string; readonly port: number },
  db: Database,
  /** The text of `/metrics`. */
  metrics: () => Promise<string>,
): Promise<Monitor> {
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/health/live': async (response) => sendJson(response, 200, { live: true }),
    '/health/ready': async (response) => {
      const code = await failureOf(db);
      sendJson(response, code === undefined ? 200 : 503, {
        ready: code === undefined,
        checks: [{ name: 'database', ready: code === undefined, ...(code && { code }) }],
      });
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

async function failureOf(db: Database): Promise<string | undefined> {
  try {
    await db.ping();
    return undefined;
  } catch (error) {
    return error instanceof PlatformError ? error.code : 'INTERNAL';
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

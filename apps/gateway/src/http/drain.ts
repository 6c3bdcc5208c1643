import { once } from 'node:events';
import { Server as TcpServer } from 'node:net';
import { settlesWithin } from '@posthaste/contracts';
import type { App } from '../app.js';

/** Time in which idle connections are kept open after the server began to stop. */
const idleGraceMs = 300;

/** Interval in which connections that have become idle after that time are closed. */
const sweepMs = 50;

/**
 * Drains connections when the server stops, so that no client loses a request. Node closes idle
 * connections at once, which resets those whose next request is on its way; under load there are
 * always some. So only the listener is closed at first, and requests on open connections are
 * answered with `Connection: close`. Connections that stay idle are closed after `idleGraceMs`,
 * others when their request has ended.
 */
export function drainConnectionsOnClose(app: App): void {
  app.addHook('preClose', async () => {
    const { server } = app;
    if (!server.listening) return;
    const closed = once(server, 'close');
    // The method of the TCP server: that of the HTTP server would close idle connections too.
    TcpServer.prototype.close.call(server);
    await settlesWithin(closed, idleGraceMs);
    const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
    void closed.then(() => clearInterval(sweep));
  });
}

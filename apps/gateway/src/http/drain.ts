import { once } from 'node:events';
import { Server as TcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.js';

/** How long a connection that waits for its next request is kept when the server stops. */
const quietMs = 300;

/** How often connections that have become idle since are closed. */
const sweepMs = 50;

/**
 * Lets a stop go unnoticed. Closing idle connections at once, as Node does, resets those whose next
 * request is on its way; under load there are always some. So at first nothing but the listener is
 * closed, and what still comes is answered with `Connection: close`. Connections that stay silent
 * are closed after that, as are those that end what they had in hand.
 */
export function addDraining(app: App): void {
  app.addHook('preClose', async () => {
    const { server } = app;
    if (!server.listening) return;
    const closed = once(server, 'close');
    TcpServer.prototype.close.call(server);
    await Promise.race([closed, sleep(quietMs)]);
    const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
    void closed.then(() => clearInterval(sweep));
  });
}

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on loopback, tells the parent process the port, and ends with it. */
export function reportPort(server: Server): void {
  process.once('SIGTERM', () => process.exit());
  process.once('disconnect', () => process.exit());
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    process.send?.({ port: (server.address() as AddressInfo).port });
  });
}

import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { readTestCertificate } from '@posthaste/testbed';

/** Proxy that ends TLS and passes the bytes on, as a load balancer does. */
export interface TlsProxy {
  /** `localhost:<port>` */
  readonly host: string;
  /** `https://localhost:<port>/event` */
  readonly endpoint: string;
  /** Requests for WebSockets so far. */
  upgrades(): number;
  /** Cuts all connections off. */
  cut(): void;
  close(): Promise<void>;
}

const upgradeRequest = 'GET /event/realtime';

/** Starts a proxy for a server on loopback. */
export async function startTlsProxy({ port }: { readonly port: number }): Promise<TlsProxy> {
  const ends = new Set<() => void>();
  const cut = (): void => {
    for (const end of ends) end();
  };
  let upgrades = 0;
  const server = createServer(await readTestCertificate(), (secure) => {
    const plain = connect(port, '127.0.0.1');
    const end = (): void => {
      ends.delete(end);
      secure.destroy();
      plain.destroy();
    };
    ends.add(end);
    secure.once('data', (first: Buffer) => {
      if (first.toString('latin1').startsWith(upgradeRequest)) upgrades += 1;
    });
    for (const socket of [secure, plain]) socket.on('error', end).on('close', end);
    secure.pipe(plain);
    plain.pipe(secure);
  });
  // Of clients that do not trust the certificate.
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  return {
    host,
    endpoint: `https://${host}/event`,
    upgrades: () => upgrades,
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  type Authorizer,
  createRealtimeServer,
  type RealtimeServer,
} from '@posthaste/appsync-server';
import { readTestCertificate } from '@posthaste/testbed';
import { onTestFinished } from 'vitest';

/** PEM file of the authority that has signed the certificate: the certificate itself. */
export const certificateFile = fileURLToPath(
  new URL('../../testbed/certificates/localhost-certificate.pem', import.meta.url),
);

/** Realtime server that speaks TLS. */
export interface TlsServer {
  readonly realtime: RealtimeServer;
  /** `https://localhost:<port>/event` */
  readonly endpoint: string;
  /** `localhost:<port>` */
  readonly host: string;
  /** Upgrades so far. */
  upgrades(): number;
}

/** Starts a server with the namespaces `default`, and `private` that refuses every subscriber. */
export async function startTlsServer(authorizer: Authorizer): Promise<TlsServer> {
  const realtime = createRealtimeServer({
    authorizers: [authorizer],
    namespaces: [
      { name: 'default' },
      { name: 'private', handlers: { onSubscribe: (context) => context.unauthorized() } },
    ],
  });
  const https = createServer({ ...(await readTestCertificate()), maxHeaderSize: 32_768 });
  let upgrades = 0;
  https.on('upgrade', () => {
    upgrades += 1;
  });
  realtime.attach(https);
  await new Promise<void>((resolve) => https.listen(0, resolve));
  onTestFinished(async () => {
    await realtime.close({ drainMs: 0 });
    https.closeAllConnections();
    await new Promise((resolve) => https.close(resolve));
  });
  const host = `localhost:${(https.address() as AddressInfo).port}`;
  return { realtime, host, endpoint: `https://${host}/event`, upgrades: () => upgrades };
}

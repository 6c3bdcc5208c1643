import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import {
  type Authorizer,
  createRealtimeServer,
  type RealtimeServer,
} from '@posthaste/appsync-server';
import { readTestCertificate } from '@posthaste/testbed';

/** Realtime server that speaks TLS. */
export interface TlsServer {
  readonly realtime: RealtimeServer;
  /** `https://localhost:<port>/event` */
  readonly endpoint: string;
  /** Upgrades so far. */
  upgrades(): number;
  close(): Promise<void>;
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
  const host = `localhost:${(https.address() as AddressInfo).port}`;
  return {
    realtime,
    endpoint: `https://${host}/event`,
    upgrades: () => upgrades,
    async close() {
      await realtime.close({ drainMs: 0 });
      https.closeAllConnections();
      await new Promise((resolve) => https.close(resolve));
    },
  };
}

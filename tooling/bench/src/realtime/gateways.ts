import { fileURLToPath } from 'node:url';
import { NamespaceStore } from '@posthaste/appsync-server/postgres';
import { openPostgres } from '@posthaste/postgres';
import { freePort } from '@posthaste/testbed';
import { posthaste } from '../posthaste/service.js';
import { startProcess } from '../service-process.js';
import { pinToServerCore, type RunningContender, type WireTexts } from './contenders.js';

const script = fileURLToPath(new URL('../posthaste/service-process.js', import.meta.url));
/** Settings of gateways whose clients all have one address. */
const environment = {
  POSTHASTE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
  POSTHASTE_LOG_LEVEL: 'error',
  POSTHASTE_ACCESS: 'loopback',
  POSTHASTE_RATE_LIMIT: '0',
  POSTHASTE_MAX_CONNECTIONS: '20000',
  POSTHASTE_MAX_CONNECTIONS_PER_ADDRESS: '0',
};

/**
 * Fills a store for gateways: the namespace `loose` is not durable, and subscribers of `kept` can get
 * 1,000 events after a reconnect.
 */
export async function prepareGateways(storeUrl: string): Promise<void> {
  await posthaste.prepare(storeUrl);
  const db = await openPostgres({ url: storeUrl });
  try {
    const namespaces = new NamespaceStore(db);
    await namespaces.create({ application: undefined, name: 'loose' }, { durable: false }, 'all');
    await namespaces.create({ application: undefined, name: 'kept' }, { history: 1_000 }, 'all');
  } finally {
    await db.close();
  }
}

/** Starts gateways as they are deployed, all on the core of the servers. */
export async function startGateways(
  storeUrl: string,
  { count, wire }: { readonly count: number; readonly wire: WireTexts },
): Promise<RunningContender[]> {
  const starting = Array.from({ length: count }, async () => {
    const port = await freePort();
    const { ready: _, ...running } = await startProcess(script, ['gateway'], {
      ...environment,
      DATABASE_URL: storeUrl,
      POSTHASTE_PORT: String(port),
    });
    pinToServerCore(running.pid);
    return { ...running, port, contender: { name: 'gateway', script, wire } };
  });
  return Promise.all(starting);
}

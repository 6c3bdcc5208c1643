import { ApiKeys, type Scope } from '@posthaste/access';
import { freePort } from '@posthaste/testbed';
import type { ServiceProcess } from '../contender.js';
import { startService, withDatabase } from './service.js';

const scopes: readonly Scope[] = [
  ...(['callbacks:read', 'callbacks:write', 'events:read', 'events:write'] as const),
  ...(['endpoints:read', 'endpoints:write', 'queues:read', 'queues:write'] as const),
];

/** Creates a key for each of these applications. Returns their tokens by application. */
export async function createTenantKeys<Name extends string>(
  storeUrl: string,
  applications: readonly Name[],
): Promise<Record<Name, string>> {
  const tokens: [Name, string][] = [];
  await withDatabase(storeUrl, async (db) => {
    const keys = new ApiKeys(db);
    for (const name of applications) {
      const { token } = await keys.createKey({ name, scopes, applications: [name] });
      tokens.push([name, token]);
    }
    await keys.close();
  });
  return Object.fromEntries(tokens) as Record<Name, string>;
}

/** Starts a gateway that needs keys, with all limits at their defaults. */
export async function startTenantGateway(
  storeUrl: string,
): Promise<ServiceProcess & { readonly url: string }> {
  const port = String(await freePort());
  const settings = { POSTHASTE_PORT: port, POSTHASTE_ACCESS: 'keys' };
  const gateway = await startService('gateway', storeUrl, settings);
  return { ...gateway, url: `http://127.0.0.1:${port}` };
}

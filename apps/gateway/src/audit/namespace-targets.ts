import { namespaceNameFault } from '@posthaste/appsync-server';
import type { NamespaceKey, NamespaceStore } from '@posthaste/appsync-server/postgres';
import type { FastifyRequest } from 'fastify';
import { applicationOrAll } from '../access/application-or-all.js';
import { toSettingsView } from '../routes/realtime/namespace-view.js';
import { type AuditTargets, memberOf, pathParameter } from './audited-route.js';

/** Creates the targets of the routes of namespaces. The store uses the ambient handle. */
export function createNamespaceTargets(store: Pick<NamespaceStore, 'get'>): AuditTargets {
  return {
    namespace: {
      id(request) {
        const { application, name } = keyOf(request);
        // No namespace can have the name, so the request is refused.
        if (namespaceNameFault(name) !== undefined) return undefined;
        return application === undefined ? name : `${application}/${name}`;
      },
      async read(_id, request) {
        const key = keyOf(request);
        const { application, name, settings } = await store.get(key);
        // Without one of its own, an application has the shared one of this name.
        if (application !== key.application) return undefined;
        return { application, name, state: { name, ...toSettingsView(settings) } };
      },
    },
  };
}

function keyOf(request: FastifyRequest): NamespaceKey {
  const name = pathParameter(request, 'name') ?? String(memberOf(request.body, 'name'));
  const named = memberOf(request.query, 'application') ?? memberOf(request.body, 'application');
  const application = applicationOrAll(request, typeof named === 'string' ? named : undefined);
  return { application, name };
}

import {
  endpointSecretName,
  findCallback,
  getMailRecipient,
  getQueue,
  getReplay,
  type Policies,
  type Secrets,
  type SecretView,
} from '@posthaste/callbacks';
import type { Endpoints, Subscriptions } from '@posthaste/callbacks/management';
import type { Database } from '@posthaste/postgres';
import type { FastifyRequest } from 'fastify';
import { applicationOrAll } from '../access/application-or-all.js';
import { toCallbackSummaryView } from '../routes/callbacks/callback-view.js';
import { toEndpointView } from '../routes/endpoints/endpoint-view.js';
import { toVersionViews } from '../routes/endpoints/secret-schemas.js';
import { toMoment } from '../routes/schemas/field-schemas.js';
import {
  type AuditTarget,
  type AuditTargets,
  idOf,
  memberOf,
  pathParameter,
} from './audited-route.js';

/** Dependencies of {@link createCallbackTargets}. All of them use the ambient handle. */
export interface CallbackTargetsDeps {
  readonly db: Database;
  readonly endpoints: Endpoints;
  readonly policies: Policies;
  readonly secrets: Secrets;
  readonly subscriptions: Subscriptions;
}

/** Creates the targets of the routes of callbacks, endpoints, queues and their settings. */
export function createCallbackTargets(deps: CallbackTargetsDeps): AuditTargets {
  return {
    ...settingTargets(deps),
    endpoint: endpointTarget(deps),
    'endpoint-secret': endpointSecretTarget(deps),
    subscription: subscriptionTarget(deps),
    queue: queueTarget(deps),
    callback: callbackTarget(deps),
    replay: replayTarget(deps),
    'mail-recipient': mailRecipientTarget(deps),
  };
}

function endpointTarget({ endpoints }: CallbackTargetsDeps): AuditTarget {
  return {
    id: (request, answer) => idOf(request, memberOf(answer, 'endpoint')),
    async read(id, { caller }) {
      const endpoint = await endpoints.get(id, caller.applications);
      const { application, name } = endpoint;
      return { application, name, state: toEndpointView(endpoint) };
    },
  };
}

function endpointSecretTarget({ endpoints, secrets }: CallbackTargetsDeps): AuditTarget {
  return {
    id: (request) => idOf(request),
    async read(id, { caller }) {
      const { application, name, id: uuid } = await endpoints.get(id, caller.applications);
      const secret = await secrets.get({ application, name: endpointSecretName(uuid) });
      return { application, name, state: { versions: toVersionViews(secret) } };
    },
  };
}

function subscriptionTarget({ endpoints, subscriptions }: CallbackTargetsDeps): AuditTarget {
  return {
    id: (request, answer) => idOf(request, answer),
    async read(id, { caller: { applications } }) {
      const found = await subscriptions.get(id, applications);
      const { createdAt, version: _, ...subscription } = found;
      const { application } = await endpoints.get(subscription.endpointId, applications);
      const state = { ...subscription, createdAt: createdAt.toISOString() };
      return { application, name: subscription.eventName, state };
    },
  };
}

/** Things that are found by a name in an application: secrets and retry policies. */
function settingTargets({ secrets, policies }: CallbackTargetsDeps): AuditTargets {
  return {
    secret: {
      id: (request) => `${request.application}/${nameOf(request)}`,
      async read(_id, request) {
        const { application } = request;
        const secret: SecretView = await secrets.get({ application, name: nameOf(request) });
        return { application, name: secret.name, state: { versions: toVersionViews(secret) } };
      },
    },
    'retry-policy': {
      id: (request) => `${policyOwner(request) ?? ''}/${nameOf(request)}`,
      async read(_id, request) {
        const application = policyOwner(request);
        const found = await policies.get({ application, name: nameOf(request) });
        // Without one of its own, an application has the shared one of this name.
        if (found.application !== application) return undefined;
        const { name, policy: retry } = found;
        return { application, name, state: { name, retry } };
      },
    },
  };
}

function queueTarget({ db }: CallbackTargetsDeps): AuditTarget {
  return {
    id: ({ application, query }) => `${application}/${String(memberOf(query, 'queue'))}`,
    async read(_id, { application, query }) {
      const key = { application, queue: String(memberOf(query, 'queue')) };
      const { state, paused, onFailure, head } = await getQueue(db, key);
      const headState = head && {
        id: head.id,
        failures: head.failures,
        hold: head.hold ?? null,
        dueAt: toMoment(head.dueAt),
      };
      return {
        application,
        name: key.queue,
        state: { state, paused, onFailure, head: headState ?? null },
      };
    },
  };
}

/** A callback has no body and no headers here: payloads are no part of the audit log. */
function callbackTarget({ db }: CallbackTargetsDeps): AuditTarget {
  return {
    id: (request) => idOf(request),
    async read(id, { caller }) {
      const callback = await findCallback(db, id, caller.applications);
      if (!callback) return undefined;
      const { request, attempts, cancelling, application } = callback;
      const { url, method } = request;
      const summary = toCallbackSummaryView({ ...callback, url, method, lastAttempt: undefined });
      const { lastAttempt: _, ...status } = summary as Record<string, unknown>;
      return { application, name: id, state: { ...status, cancelling, attempts: attempts.length } };
    },
  };
}

function replayTarget({ db }: CallbackTargetsDeps): AuditTarget {
  return {
    id: (request, answer) => idOf(request, answer),
    async read(id, { caller }) {
      const replay = await getReplay(db, id, caller.applications);
      const { application, filter, ratePerSecond, state } = replay;
      return { application, name: id, state: { filter, ratePerSecond, state } };
    },
  };
}

function mailRecipientTarget({ db }: CallbackTargetsDeps): AuditTarget {
  return {
    id: (request) => idOf(request),
    async read(id, { caller: { applications } }) {
      const recipient = await getMailRecipient(db, id, applications);
      const { application, address, state, decidedBy } = recipient;
      return {
        application,
        name: address,
        state: { address, state, decidedBy: decidedBy ?? null },
      };
    },
  };
}

/** Returns the application of a retry policy; `undefined` for a shared one. */
function policyOwner(request: FastifyRequest): string | undefined {
  const named = memberOf(request.query, 'application');
  return applicationOrAll(request, typeof named === 'string' ? named : undefined);
}

/** Returns the name in the path, else in the body. */
function nameOf(request: FastifyRequest): string {
  return pathParameter(request, 'name') ?? String(memberOf(request.body, 'name'));
}

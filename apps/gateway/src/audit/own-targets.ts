import { type ApiKey, type ApplicationRegistry, getErasure, toKeyState } from '@posthaste/access';
import type { Applications } from '@posthaste/contracts';
import type { DeadLetterReplays } from '@posthaste/eventstream/event-log';
import type { Queryable } from '@posthaste/postgres';
import { type AuditTargets, idOf, memberOf } from './audited-route.js';

/** Method of `ApiKeys` that reads a key. */
export interface KeyReader {
  findKey(id: string, within: Applications): Promise<ApiKey | undefined>;
}

/** Creates the targets of the routes of API keys. */
export function createKeyTargets(keys: KeyReader): AuditTargets {
  return {
    'api-key': {
      id: (request, answer) => idOf(request, answer),
      async read(id, { caller }) {
        const key = await keys.findKey(id, caller.applications);
        const [only, ...others] = key?.applications ?? [];
        const application = others.length === 0 ? only : undefined;
        return key && { application, name: key.name, state: toKeyState(key) };
      },
    },
  };
}

/** Creates the targets of the routes of applications, whose id is their name. */
export function createApplicationTargets(registry: Pick<ApplicationRegistry, 'get'>): AuditTargets {
  return {
    application: {
      id({ query }, answer) {
        const name = memberOf(query, 'application') ?? memberOf(answer, 'application');
        return typeof name === 'string' ? name : undefined;
      },
      async read(name) {
        const { state, limits, retentionMs } = await registry.get(name);
        return { application: name, name, state: { state, limits, retentionMs } };
      },
    },
  };
}

/** Creates the targets of the routes of the event log. */
export function createEventTargets(replays: Pick<DeadLetterReplays, 'get'>): AuditTargets {
  return {
    'dead-letter-replay': {
      id: (request, answer) => idOf(request, answer),
      async read(id, { caller }) {
        const replay = await replays.get({ id, within: caller.applications });
        const { topic, filter, ratePerSecond, dryRun, again, state } = replay;
        return {
          application: replay.application ?? undefined,
          name: topic,
          state: { topic, filter, ratePerSecond, dryRun, again, state },
        };
      },
    },
  };
}

/** Creates the targets of the routes of erasures. Their state has no identifier, but a hash of it. */
export function createErasureTargets(db: Queryable): AuditTargets {
  return {
    erasure: {
      id: (request, answer) => idOf(request, answer),
      async read(id, { caller }) {
        const { applications, target, kind } = await getErasure(db, id, caller.applications);
        const [only, ...others] = applications === 'all' ? [] : applications;
        return {
          application: others.length === 0 ? only : undefined,
          name: id,
          state: { kind, applications, target },
        };
      },
    },
  };
}

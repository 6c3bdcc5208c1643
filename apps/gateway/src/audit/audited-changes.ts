/*
 * Audit: from a route that changes something to an entry in the audit log.
 *
 * 1. Each route whose method may change something declares its change, as `config.audit`: for example
 *    `audit: { action: 'endpoint.updated', target: 'endpoint' }`, or `audit: 'none'` for calls that
 *    change nothing and for the data plane (callbacks and events, which have their own history). The
 *    server does not start while one of them declares neither.
 * 2. `addAuditedChanges` runs the handler of such a route in a transaction (`ambientDatabase`): it
 *    locks the target, reads its state, calls the handler, reads the state again, and records the
 *    change. What the handler sends is held back until the commit. So the change and its entry are
 *    committed together, before the answer; a handler that fails, and a refused request, leave none.
 * 3. Two changes of one target follow one another, so `before` is the state that a change replaced.
 *    A call that changed nothing, such as pausing a paused queue, has no entry.
 *
 * Handlers of audited routes use the ambient handle only: the embedded database has one connection,
 * which the transaction holds.
 */

import { lockTarget, type RecordChange } from '@posthaste/access';
import { PlatformError, Semaphore, settlesWithin } from '@posthaste/contracts';
import type { AmbientDatabase, Transaction } from '@posthaste/postgres';
import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify';
import type { App } from '../app.js';
import type { AuditedRoute, AuditTarget, AuditTargets, TargetView } from './audited-route.js';
import { toActor, toOrigin } from './change-author.js';
import { isSameState } from './same-state.js';

/** Dependencies of {@link addAuditedChanges}. */
export interface AuditDeps {
  /** Handle that the handlers of audited routes use. */
  readonly db: AmbientDatabase;
  readonly record: RecordChange;
  readonly targets: AuditTargets;
}

/** Changes that run at the same time: those that wait for one another leave connections to others. */
const maxChanges = 4;
/** Longest wait for one of them to end, in ms. */
const maxWaitMs = 5_000;
/** Tries of a change whose transaction conflicts with another. */
const maxTries = 3;
/** Headers about what a handler has changed. */
const answerHeaders = ['location', 'etag'];

const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Records the changes of all routes that are registered after this call. Without dependencies, their
 * handlers run as they are: for tests of other things.
 * @throws Error when the server becomes ready, if a route does not declare its change
 */
export function addAuditedChanges(app: App, deps: AuditDeps | undefined): void {
  const semaphore = new Semaphore(maxChanges);
  const faults: string[] = [];
  app.addHook('onRoute', (route) => {
    const fault = declarationFault(route, deps?.targets);
    if (fault !== undefined) faults.push(`${route.method} ${route.url} ${fault}`);
    const audited = route.config?.audit;
    const target = typeof audited === 'object' ? deps?.targets[audited.target] : undefined;
    if (!deps || !target || typeof audited !== 'object') return;
    const change: RouteChange = { deps, audited, target, semaphore, handler: route.handler };
    route.handler = function (this: App, request: FastifyRequest, reply: FastifyReply) {
      return runChange({ ...change, request, reply, server: this });
    } as RouteHandlerMethod;
  });
  app.addHook('onReady', async () => {
    if (faults.length > 0) throw new Error(faults.join('; '));
  });
}

/** Returns what is wrong with the declaration of a route. */
function declarationFault(route: RouteOptions, targets?: AuditTargets): string | undefined {
  const audit = route.config?.audit;
  if (typeof audit === 'object') {
    if (!targets || Object.hasOwn(targets, audit.target)) return undefined;
    return `declares changes of '${audit.target}', which no audit target reads`;
  }
  const methods = [route.method].flat();
  if (audit === 'none' || methods.every((method) => readingMethods.has(method))) return undefined;
  return "does not declare what it changes; set config.audit to its action and target, or to 'none'";
}

/** Parts of a change that are the same for every request of a route. */
interface RouteChange {
  readonly deps: AuditDeps;
  readonly audited: AuditedRoute;
  readonly target: AuditTarget;
  readonly semaphore: Semaphore;
  readonly handler: RouteHandlerMethod;
}

interface RequestedChange extends RouteChange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly server: App;
}

/** Makes and records a change. Returns the answer of the handler, which is not sent yet. */
async function runChange(change: RequestedChange): Promise<unknown> {
  const { semaphore, deps, reply } = change;
  await enter(semaphore);
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        return await deps.db.runInTransaction((tx) => changeIn(tx, change));
      } catch (error) {
        // The handler may have set them before the transaction failed.
        for (const name of answerHeaders) reply.removeHeader(name);
        if (tries === maxTries || !isConflict(error)) throw error;
      }
    }
  } finally {
    semaphore.release();
  }
}

/** True if nothing was committed because of another transaction, or of a migration that ran meanwhile. */
function isConflict(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'DATABASE_CONFLICT';
}

async function enter(semaphore: Semaphore): Promise<void> {
  const entered = semaphore.acquire();
  if (await settlesWithin(entered, maxWaitMs)) return;
  void entered.then(() => semaphore.release());
  throw new PlatformError('OVERLOADED', 'too many changes wait for one another; try again');
}

async function changeIn(tx: Transaction, change: RequestedChange): Promise<unknown> {
  const { audited, target, request, deps } = change;
  const known = target.id(request);
  if (known !== undefined) await lockTarget(tx, { kind: audited.target, id: known });
  const before = known === undefined ? undefined : await readTarget(change, known);
  const answer = await callHandler(change);
  const id = known ?? target.id(request, answer);
  if (id === undefined) throw new Error(`${audited.action}: the answer does not name its target`);
  const after = await readTarget(change, id, answer);
  const view = after ?? before;
  // Nothing was there and nothing is: for example settings were set to their defaults.
  if (!view || isSameState(before?.state, after?.state)) return answer;
  await deps.record(tx, {
    application: view.application,
    actor: toActor(request.caller),
    action: audited.action,
    target: { kind: audited.target, id, name: view.name },
    before: before && toState(before),
    after: after && toState(after),
    origin: toOrigin(request),
  });
  return answer;
}

async function readTarget(
  { target, request }: RequestedChange,
  id: string,
  answer?: unknown,
): Promise<TargetView | undefined> {
  try {
    return await target.read(id, request, answer);
  } catch (error) {
    if (error instanceof PlatformError && error.type === 'not_found') return undefined;
    throw error;
  }
}

/** Calls the handler, and returns its answer whether it returns or sends it. */
async function callHandler({ handler, request, reply, server }: RequestedChange): Promise<unknown> {
  const held: { answer?: unknown } = {};
  // On this reply only. A reply itself must not be returned: awaiting it waits until it is sent.
  reply.send = ((answer?: unknown) => {
    held.answer = answer;
    return undefined;
  }) as unknown as FastifyReply['send'];
  try {
    const returned: unknown = await handler.call(server, request, reply);
    return 'answer' in held ? held.answer : returned;
  } finally {
    Reflect.deleteProperty(reply, 'send');
  }
}

function toState({ state }: TargetView): Record<string, unknown> {
  return { ...state };
}

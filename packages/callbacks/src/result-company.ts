import type { Queryable } from '@posthaste/postgres';
import type { DeliveryResult, Ending } from './delivery.js';
import { disableEndpoint } from './endpoint-state.js';
import { type Mail, toEndpointDisabledMail, toFailureMail } from './failure-mail.js';
import { enqueueMail } from './mail-outbox.js';
import type { Accompany } from './recorder.js';
import type { Recorded } from './result-store.js';

/** Something that happened to a callback or an endpoint, for whoever wants to know. */
export type CallbackEvent =
  | {
      readonly type: 'callback.attempted' | 'callback.delivered' | 'callback.failed';
      readonly result: DeliveryResult;
      readonly ending: Ending | undefined;
    }
  | {
      readonly type: 'endpoint.disabled';
      readonly endpointId: string;
      readonly application: string;
      readonly reason: string;
    };

/** Where events go, in the transaction of what they tell: an event log, say. */
export interface CallbackEventSink {
  wants(type: CallbackEvent['type']): boolean;
  append(tx: Queryable, events: readonly CallbackEvent[]): Promise<void>;
}

/** A sink for who has no event log. */
export const noEvents: CallbackEventSink = { wants: () => false, append: async () => undefined };

/** What is written together with results, see Recorder. */
export interface ResultCompany {
  needsCompany(result: DeliveryResult): boolean;
  accompany: Accompany;
}

const goneReason = 'its receiver answered 410 Gone';

/**
 * Notices of final failures, endpoints disabled by a 410, and events: in one transaction with the
 * result, and so exactly once, whatever crashes.
 */
export function createResultCompany(events: CallbackEventSink): ResultCompany {
  return {
    needsCompany(result) {
      if (events.wants('callback.attempted') && result.attempt) return true;
      if (result.verdict.kind !== 'ended') return false;
      const { ending } = result.verdict;
      if (ending === 'delivered') return events.wants('callback.delivered');
      return (
        result.delivery.request.notificationEmail !== undefined ||
        isGone(result) ||
        (isFailure(ending) && events.wants('callback.failed'))
      );
    },
    async accompany(tx, recorded) {
      const disabled = await disableGone(tx, recorded);
      await enqueueMail(tx, [
        ...recorded.flatMap((entry) => failureMail(entry) ?? []),
        ...disabled.flatMap((endpoint) => endpoint.mail ?? []),
      ]);
      const told = [...recorded.flatMap(toEvents), ...disabled.map(({ event }) => event)];
      const wanted = told.filter(({ type }) => events.wants(type));
      if (wanted.length > 0) await events.append(tx, wanted);
    },
  };
}

function isGone({ delivery, attempt }: DeliveryResult): boolean {
  return attempt?.statusCode === 410 && delivery.endpointId !== undefined;
}

function isFailure(ending: Ending | undefined): ending is 'failed' | 'expired' {
  return ending === 'failed' || ending === 'expired';
}

function toEvents({ result, ending }: Recorded): CallbackEvent[] {
  const told: CallbackEvent[] = [];
  if (result.attempt) told.push({ type: 'callback.attempted', result, ending });
  if (ending === 'delivered') told.push({ type: 'callback.delivered', result, ending });
  if (isFailure(ending)) told.push({ type: 'callback.failed', result, ending });
  return told;
}

function failureMail({ result, ending, parked }: Recorded): Mail | undefined {
  const { delivery, attempt } = result;
  const { notificationEmail, method, url } = delivery.request;
  if (notificationEmail === undefined || !isFailure(ending)) return undefined;
  return toFailureMail(notificationEmail, {
    id: delivery.callbackId,
    application: delivery.application,
    queue: delivery.queue,
    method: method || 'GET',
    url,
    ending,
    acceptedAt: new Date(delivery.createdAtMs),
    attempts: delivery.failures + delivery.unknowns + (attempt ? 1 : 0),
    last: attempt && {
      at: new Date(attempt.startedAtMs),
      statusCode: attempt.statusCode,
      reason: attempt.reason,
    },
    parked,
  });
}

interface Disabled {
  readonly event: CallbackEvent;
  readonly mail: Mail | undefined;
}

/** In the order of their ids, so that two batches cannot wait for each other's endpoints. */
async function disableGone(tx: Queryable, recorded: readonly Recorded[]): Promise<Disabled[]> {
  const ids = new Set(
    recorded.flatMap(({ result }) => (isGone(result) ? (result.delivery.endpointId ?? []) : [])),
  );
  const disabled: Disabled[] = [];
  for (const id of [...ids].sort()) {
    const endpoint = await disableEndpoint(tx, id, goneReason);
    if (!endpoint) continue;
    const { application, reason, notificationEmail } = endpoint;
    disabled.push({
      event: { type: 'endpoint.disabled', endpointId: id, application, reason },
      mail:
        notificationEmail === undefined
          ? undefined
          : toEndpointDisabledMail(notificationEmail, endpoint, new Date()),
    });
  }
  return disabled;
}

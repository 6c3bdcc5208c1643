import type { Database, Transaction } from '@posthaste/postgres';
import type { DeliveryResult, Ending } from '../delivery/delivery.js';
import { disableEndpoint } from '../endpoints/endpoint-state.js';
import {
  type CallbackEvent,
  type CallbackEventSink,
  toDisabledEvent,
} from '../events/callback-events.js';
import { type Mail, toEndpointDisabledMail, toFailureMail } from '../mail/failure-mail.js';
import { enqueueMail } from '../mail/mail-outbox.js';
import { finishResults } from './finish-results.js';
import { attemptsOf, toResultEvents } from './result-events.js';
import type { Recorded } from './result-store.js';

/** What is written together with results, in their transaction: see Recorder. */
export interface ResultEffects {
  /** Whether more than events may have to be written with the result. */
  hasEffects(result: DeliveryResult): boolean;
  /** Writes all that goes with results that were recorded. */
  write(tx: Transaction, recorded: readonly Recorded[]): Promise<void>;
  /**
   * Records results that end a callback without a queue and need no company, with what is told of
   * them; gives how many counted. The others had lost their lease.
   */
  finish(db: Database, results: readonly DeliveryResult[]): Promise<number>;
}

const goneReason = 'its receiver answered 410 Gone';

/**
 * Notices of final failures, endpoints disabled by a 410, and events: in one transaction with the
 * result, and so exactly once, whatever crashes.
 */
export function createResultEffects(events: CallbackEventSink): ResultEffects {
  const write = async (tx: Transaction, recorded: readonly Recorded[]): Promise<void> => {
    const disabled = await disableGone(tx, recorded);
    await enqueueMail(tx, [
      ...recorded.flatMap((entry) => failureMail(entry) ?? []),
      ...disabled.flatMap((endpoint) => endpoint.mail ?? []),
    ]);
    const told = recorded.flatMap((entry) => toResultEvents(entry, events.wants));
    if (events.wants('endpoint.disabled')) told.push(...disabled.map(({ event }) => event));
    if (told.length > 0) await events.append(tx, told);
  };
  return {
    hasEffects({ delivery, attempt, verdict }) {
      if (verdict.kind !== 'ended' || verdict.ending === 'delivered') return false;
      return delivery.request.notificationEmail !== undefined || isGone({ delivery, attempt });
    },
    write,
    finish: (db, results) => finishResults(db, results, events),
  };
}

function isGone({ delivery, attempt }: Pick<DeliveryResult, 'delivery' | 'attempt'>): boolean {
  return attempt?.statusCode === 410 && delivery.endpointId !== undefined;
}

function isFailure(ending: Ending | undefined): ending is 'failed' | 'expired' {
  return ending === 'failed' || ending === 'expired';
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
    attempts: attemptsOf(result),
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
async function disableGone(tx: Transaction, recorded: readonly Recorded[]): Promise<Disabled[]> {
  const echoes = new Map<string, number>();
  for (const { result } of recorded) {
    const { endpointId, echo } = result.delivery;
    if (endpointId === undefined || !isGone(result)) continue;
    echoes.set(endpointId, Math.min(echo, echoes.get(endpointId) ?? echo));
  }
  const disabled: Disabled[] = [];
  for (const [id, echo] of [...echoes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const endpoint = await disableEndpoint(tx, id, goneReason);
    if (!endpoint) continue;
    const { notificationEmail } = endpoint;
    disabled.push({
      event: toDisabledEvent({ ...endpoint, echo }),
      mail:
        notificationEmail === undefined
          ? undefined
          : toEndpointDisabledMail(notificationEmail, endpoint, new Date()),
    });
  }
  return disabled;
}

import type { Transaction } from '@posthaste/postgres';
import type { DeliveryResult, Ending } from '../delivery/delivery.js';
import { goneReason } from '../delivery/outcome.js';
import { disableEndpoint } from '../endpoints/endpoint-state.js';
import {
  type CallbackEvent,
  type CallbackEventSink,
  type DisableRecorder,
  type RecordedDisable,
  toDisabledEvent,
} from '../events/callback-events.js';
import { type Notice, toEndpointDisabledMail, toFailureMail } from '../mail/failure-mail.js';
import { enqueueNotices } from '../mail/mail-outbox.js';
import { attemptsOf, toResultEvents } from './result-events.js';
import type { RecordedResult } from './result-store.js';

/*
 * Effects of results, beside the results themselves: mail about final failures, endpoints that are
 * disabled because their receiver is gone, and events. The recorder writes them in the transaction
 * that writes the results, so each happens exactly once, whatever crashes.
 */

/** True if the result may need {@link writeEffects} for more than events. */
export function hasEffects({ delivery, verdict }: DeliveryResult): boolean {
  if (verdict.kind !== 'ended' || verdict.ending === 'delivered') return false;
  return delivery.request.notificationEmail !== undefined || verdict.endpointGone === true;
}

/** Writes all effects of results that were recorded in the same transaction. */
export async function writeEffects(
  tx: Transaction,
  recorded: readonly RecordedResult[],
  events: CallbackEventSink,
): Promise<void> {
  const disabled = await disableGoneEndpoints(tx, recorded, events.disables);
  await enqueueNotices(tx, [
    ...recorded.flatMap((entry) => toMail(entry) ?? []),
    ...disabled.flatMap((endpoint) => endpoint.mail ?? []),
  ]);
  const appended = recorded.flatMap((entry) => toResultEvents(entry, events.wants));
  if (events.wants('endpoint.disabled')) appended.push(...disabled.map(({ event }) => event));
  if (appended.length > 0) await events.append(tx, appended);
  if (disabled.length > 0) {
    await events.disables?.record(
      tx,
      disabled.map(({ endpoint }) => endpoint),
    );
  }
}

function isFailure(ending: Ending | undefined): ending is 'failed' | 'expired' {
  return ending === 'failed' || ending === 'expired';
}

function toMail({ result, ending, parked }: RecordedResult): Notice | undefined {
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

interface DisabledEndpoint {
  readonly endpoint: RecordedDisable;
  readonly event: CallbackEvent;
  readonly mail: Notice | undefined;
}

/**
 * Disables the endpoints whose receiver is gone, in the order of their ids: two batches cannot wait
 * for each other's endpoints then.
 */
async function disableGoneEndpoints(
  tx: Transaction,
  recorded: readonly RecordedResult[],
  recorder: DisableRecorder | undefined,
): Promise<DisabledEndpoint[]> {
  const echoes = new Map<string, number>();
  for (const { result } of recorded) {
    const { endpointId, echo } = result.delivery;
    const isGone = result.verdict.kind === 'ended' && result.verdict.endpointGone === true;
    if (endpointId === undefined || !isGone) continue;
    echoes.set(endpointId, Math.min(echo, echoes.get(endpointId) ?? echo));
  }
  const disabled: DisabledEndpoint[] = [];
  for (const [id, echo] of [...echoes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await recorder?.lock(tx, id);
    const endpoint = await disableEndpoint(tx, id, { within: 'all', reason: goneReason });
    if (!endpoint) continue;
    const { notificationEmail } = endpoint;
    disabled.push({
      endpoint,
      event: toDisabledEvent({ ...endpoint, echo }),
      mail:
        notificationEmail === undefined
          ? undefined
          : toEndpointDisabledMail(notificationEmail, endpoint, new Date()),
    });
  }
  return disabled;
}

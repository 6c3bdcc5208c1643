import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { type CallbackEventSink, toDisabledEvent } from '../events/callback-events.js';
import { releaseHeld } from './endpoint-hold.js';
import { type EndpointState, endpointNotFound, parseEndpointId } from './endpoint-id.js';

const maxReasonLength = 512;

/** From one of the states `$3` to `$2`. The row is locked, and so seen as it is after the change. */
const changeStatement: Statement = {
  name: 'callbacks_endpoint_change_state',
  text: `
with found as (
  select id, state from callbacks.endpoint where id = $1 for no key update
),
changed as (
  update callbacks.endpoint e set state = $2, state_reason = $4, updated_at = now()
  from found where e.id = found.id and found.state = any($3::text[])
)
select state from found`,
};

/**
 * Pauses an active endpoint: what is under way is finished, what is owed waits. Pausing a paused
 * one gives it the new reason. Workers notice within seconds.
 * @throws PlatformError `ENDPOINT_NOT_FOUND`; `ENDPOINT_STATE` when it is disabled
 */
export async function pauseEndpoint(db: Database, id: string, reason?: string): Promise<void> {
  const state = await change(db, id, ['active', 'paused'], 'paused', reason);
  if (state === 'disabled') throw stateError(id, 'is disabled');
}

/**
 * Lets a paused endpoint go on, and what waits for it. Resuming an active one lets go what may have
 * been held since.
 * @throws PlatformError `ENDPOINT_NOT_FOUND`; `ENDPOINT_STATE` when it is disabled
 */
export async function resumeEndpoint(db: Database, id: string): Promise<void> {
  const state = await change(db, id, ['paused'], 'active', undefined);
  if (state === 'disabled') throw stateError(id, 'is disabled: enable it');
  await releaseHeld(db, parseEndpointId(id));
}

/**
 * Makes a disabled endpoint active, and lets go what waits for it. Enabling an active one lets go
 * what may have been held since.
 * @throws PlatformError `ENDPOINT_NOT_FOUND`; `ENDPOINT_STATE` when it is paused
 */
export async function enableEndpoint(db: Database, id: string): Promise<void> {
  const state = await change(db, id, ['disabled'], 'active', undefined);
  if (state === 'paused') throw stateError(id, 'is paused: resume it');
  await releaseHeld(db, parseEndpointId(id));
}

/** What a notice of the change needs. */
export interface DisabledEndpoint {
  readonly id: string;
  readonly application: string;
  readonly name: string;
  readonly url: string;
  /** A line for people. */
  readonly reason: string;
  readonly notificationEmail: string | undefined;
}

const disableStatement: Statement = {
  name: 'callbacks_endpoint_disable',
  text: `update callbacks.endpoint set state = 'disabled', state_reason = $2, updated_at = now()
    where id = $1 and state <> 'disabled'
    returning application, name, url, notification_email`,
};

interface DisabledRow {
  readonly application: string;
  readonly name: string;
  readonly url: string;
  readonly notification_email: string | null;
}

/**
 * Disables an endpoint, in the transaction of the result that is the reason (its receiver answered
 * 410) or by itself (somebody decided so). `undefined` when it is disabled already, or gone: of
 * several callers one gets the answer that the notice is made of.
 */
export async function disableEndpoint(
  db: Queryable,
  id: string,
  reason: string,
): Promise<DisabledEndpoint | undefined> {
  const kept = toReason(reason);
  const { rows } = await db.query<DisabledRow>(disableStatement, [parseEndpointId(id), kept]);
  const row = rows[0];
  if (!row) return undefined;
  const { application, name, url, notification_email: email } = row;
  return { id, application, name, url, reason: kept, notificationEmail: email ?? undefined };
}

/**
 * The same for whoever decides so by himself, with the event that tells of it.
 * @throws PlatformError `DATABASE_*`
 */
export async function disableEndpointAndEmit(
  db: Database,
  events: CallbackEventSink,
  id: string,
  reason: string,
): Promise<DisabledEndpoint | undefined> {
  return db.transaction(async (tx) => {
    const disabled = await disableEndpoint(tx, id, reason);
    if (disabled && events.wants('endpoint.disabled')) {
      await events.append(tx, [toDisabledEvent(disabled)]);
    }
    return disabled;
  });
}

/** Changes the state if it is one of `from`. Gives the state before. */
async function change(
  db: Database,
  id: string,
  from: readonly EndpointState[],
  to: EndpointState,
  reason: string | undefined,
): Promise<EndpointState> {
  const values = [parseEndpointId(id), to, from, reason === undefined ? null : toReason(reason)];
  const { rows } = await db.query<{ state: EndpointState }>(changeStatement, values);
  const row = rows[0];
  if (!row) throw endpointNotFound(id);
  return row.state;
}

/** What the table can hold of a text. */
function toReason(text: string): string {
  return text.replaceAll('\0', '').slice(0, maxReasonLength);
}

function stateError(id: string, message: string): PlatformError {
  return new PlatformError('ENDPOINT_STATE', `endpoint ${id} ${message}`);
}

import {
  type Applications,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import { afterCommit, type Database, type Queryable, type Statement } from '@posthaste/postgres';
import { type CallbackEventSink, toDisabledEvent } from '../events/callback-events.js';
import { releaseHeadsOfEndpoint } from './endpoint-hold.js';

const maxReasonLength = 512;

/**
 * State of an endpoint. Its callbacks wait while it is not active.
 *
 * - `active`: callbacks are sent.
 * - `paused`: it was paused, and can be resumed.
 * - `disabled`: its receiver answered 410, or it was disabled through the API. It must be enabled.
 */
export type EndpointState = 'active' | 'paused' | 'disabled';

/** Parses an endpoint id. @throws PlatformError `ENDPOINT_NOT_FOUND` when the text is not an id */
export function parseEndpointId(text: string): string {
  const id = parseId(text);
  if (id === undefined) throw endpointNotFound(text);
  return id;
}

/** Returns the error for an id that no endpoint has. */
export function endpointNotFound(id: string): PlatformError {
  return new PlatformError('ENDPOINT_NOT_FOUND', `there is no endpoint ${id.slice(0, 64)}`);
}

/**
 * Changes the state from one of `$3` to `$2`, and returns the state before. The row is locked
 * first, so that the state compared is the one after any concurrent change.
 */
const changeStatement: Statement = {
  name: 'callbacks_endpoint_change_state',
  text: `
with found as (
  select id, state from callbacks.endpoint
  where id = $1 and ($5::text[] is null or application = any($5)) for no key update
),
changed as (
  update callbacks.endpoint e set state = $2, state_reason = $4, updated_at = now()
  from found where e.id = found.id and found.state = any($3::text[])
)
select state from found`,
};

/** Options of a change of state. */
interface StateOptions {
  /** Applications whose endpoints the caller may change: those of others do not exist for it. */
  readonly within: Applications;
  /** Reason in one line, for the API. */
  readonly reason?: string | undefined;
}

/**
 * Pauses an active endpoint: running attempts finish, its callbacks wait. Pausing a paused endpoint
 * replaces the reason. Workers notice within seconds.
 * @throws PlatformError `ENDPOINT_NOT_FOUND`; `ENDPOINT_STATE` when it is disabled
 */
export async function pauseEndpoint(
  db: Database,
  id: string,
  options: StateOptions,
): Promise<void> {
  const state = await changeState(db, id, { ...options, from: ['active', 'paused'], to: 'paused' });
  if (state === 'disabled') throw stateError(id, 'is disabled: enable it before pausing it');
}

/**
 * Makes a paused endpoint active, and releases its callbacks. Resuming an active endpoint releases
 * callbacks that a worker has held in the meantime.
 * @throws PlatformError `ENDPOINT_NOT_FOUND`; `ENDPOINT_STATE` when it is disabled
 */
export async function resumeEndpoint(
  db: Database,
  id: string,
  { within }: Pick<StateOptions, 'within'>,
): Promise<void> {
  const state = await changeState(db, id, { within, from: ['paused'], to: 'active' });
  if (state === 'disabled') throw stateError(id, 'is disabled: enable it');
  await afterCommit(db, () => releaseHeadsOfEndpoint(db, parseEndpointId(id)));
}

/**
 * Makes a disabled endpoint active, and releases its callbacks. Enabling an active endpoint
 * releases callbacks that a worker has held in the meantime.
 * @throws PlatformError `ENDPOINT_NOT_FOUND`; `ENDPOINT_STATE` when it is paused
 */
export async function enableEndpoint(
  db: Database,
  id: string,
  { within }: Pick<StateOptions, 'within'>,
): Promise<void> {
  const state = await changeState(db, id, { within, from: ['disabled'], to: 'active' });
  if (state === 'paused') throw stateError(id, 'is paused: resume it');
  await afterCommit(db, () => releaseHeadsOfEndpoint(db, parseEndpointId(id)));
}

/** Endpoint that was just disabled, with the values of its event and its mail. */
export interface DisabledEndpoint {
  readonly id: string;
  readonly application: string;
  readonly name: string;
  readonly url: string;
  /** Reason in one line, for the event, the mail and the API. */
  readonly reason: string;
  readonly notificationEmail: string | undefined;
  /** State that it had before. */
  readonly stateBefore: EndpointState;
}

const disableStatement: Statement = {
  name: 'callbacks_endpoint_disable',
  text: `
with found as (
  select id, state from callbacks.endpoint
  where id = $1 and state <> 'disabled' and ($3::text[] is null or application = any($3))
  for no key update
)
update callbacks.endpoint e set state = 'disabled', state_reason = $2, updated_at = now()
from found where e.id = found.id
returning e.application, e.name, e.url, e.notification_email, found.state as state_before`,
};

interface DisabledRow {
  readonly application: string;
  readonly name: string;
  readonly url: string;
  readonly notification_email: string | null;
  readonly state_before: EndpointState;
}

/**
 * Disables an endpoint: in the transaction of the result that is the reason (its receiver answered
 * 410), or on its own. Returns `undefined` when it is disabled already, or does not exist: of
 * several callers only one receives the endpoint, and so only one sends the mail.
 */
export async function disableEndpoint(
  db: Queryable,
  id: string,
  { within, reason }: Pick<DisableOptions, 'within' | 'reason'>,
): Promise<DisabledEndpoint | undefined> {
  const kept = toReason(reason);
  const values = [parseEndpointId(id), kept, toApplicationColumn(within)];
  const { rows } = await db.query<DisabledRow>(disableStatement, values);
  const row = rows[0];
  if (!row) return undefined;
  const { application, name, url, notification_email: email } = row;
  return {
    id,
    application,
    name,
    url,
    reason: kept,
    notificationEmail: email ?? undefined,
    stateBefore: row.state_before,
  };
}

/** Options of {@link disableEndpointAndEmit}. */
export interface DisableOptions {
  /** Applications whose endpoints the caller may change: those of others do not exist for it. */
  readonly within: Applications;
  /** Reason in one line, for the event, the mail and the API. */
  readonly reason: string;
  /** Receiver of the event `endpoint.disabled`, if it wants that. */
  readonly events: CallbackEventSink;
}

/**
 * Disables an endpoint on request, and emits the event in the same transaction.
 * Returns `undefined` when it is disabled already, or does not exist.
 * @throws PlatformError `ENDPOINT_NOT_FOUND` when `id` is not an id; `DATABASE_*`
 */
export async function disableEndpointAndEmit(
  db: Database,
  id: string,
  { within, reason, events }: DisableOptions,
): Promise<DisabledEndpoint | undefined> {
  return db.transaction(async (tx) => {
    const disabled = await disableEndpoint(tx, id, { within, reason });
    if (disabled && events.wants('endpoint.disabled')) {
      await events.append(tx, [toDisabledEvent(disabled)]);
    }
    return disabled;
  });
}

interface StateChange extends StateOptions {
  readonly from: readonly EndpointState[];
  readonly to: EndpointState;
}

/** Changes the state if it is one of `from`. Returns the state before the change. */
async function changeState(
  db: Database,
  id: string,
  { within, from, to, reason }: StateChange,
): Promise<EndpointState> {
  const kept = reason === undefined ? null : toReason(reason);
  const values = [parseEndpointId(id), to, from, kept, toApplicationColumn(within)];
  const { rows } = await db.query<{ state: EndpointState }>(changeStatement, values);
  const row = rows[0];
  if (!row) throw endpointNotFound(id);
  return row.state;
}

/** Makes a text fit the column: cuts it to the longest length, and removes zero characters. */
function toReason(text: string): string {
  return text.replaceAll('\0', '').slice(0, maxReasonLength);
}

function stateError(id: string, message: string): PlatformError {
  return new PlatformError('ENDPOINT_STATE', `endpoint ${id} ${message}`);
}

import {
  type CallbackEvent,
  type CallbackEventSink,
  toCallbackEvent,
} from '../events/callback-events.js';
import type { IntakeItem } from './intake-store.js';

/** Of callbacks that are stored; none when nobody wants them, none of echoes. */
export function toAcceptedEvents(
  items: readonly IntakeItem[],
  { wants }: Pick<CallbackEventSink, 'wants'>,
): CallbackEvent[] {
  if (items.length === 0 || !wants('callback.accepted')) return [];
  return items.filter(({ request }) => request.echo === 0).map(toAcceptedEvent);
}

function toAcceptedEvent({ id: callbackId, request }: IntakeItem): CallbackEvent {
  const { origin } = request;
  const fields = { method: request.method || 'GET', origin };
  return toCallbackEvent('callback.accepted', { ...request, callbackId }, fields);
}

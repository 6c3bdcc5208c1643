import {
  type CallbackEvent,
  type CallbackEventSink,
  toCallbackEvent,
} from '../events/callback-events.js';
import type { IntakeItem } from './intake-store.js';

/**
 * Builds the events `callback.accepted` about stored callbacks, if they are wanted. There is none
 * about a callback that was made for an event about callbacks (`echo`): see loop-guard.ts.
 */
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

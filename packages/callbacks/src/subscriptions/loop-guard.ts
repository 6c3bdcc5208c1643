import { callbackEventTopic } from '@posthaste/contracts';
import type { SubscribedEvent } from '../events/subscribed-event.js';

/*
 * Callbacks made for events about callbacks could loop for ever: the delivery of one would be an
 * event, for which another would be made, and so on. So could callbacks whose URL is one of the
 * platform itself, such as the one that tests the endpoint of the callback.
 *
 * The echo of a callback is 0 for an ordinary callback. It is one more than that of the callback
 * that led to it: by an event about it, or by its delivery, if that called the platform. Each
 * delivery has the echo plus one in the header `posthaste-hops`. The gateway refuses a request with
 * too many; one that it accepts gives its hops to the callbacks that it makes, as their echo, and to
 * the events that it publishes, for the callbacks that are made for those.
 *
 * - A callback with an echo above 0 emits only the events `callback.failed` and
 *   `endpoint.disabled`.
 * - Events about a callback of echo 1 do not go to the endpoint of that callback.
 * - Events about a callback of echo 2 go to the log, but to no endpoint: two endpoints that both
 *   fail would otherwise notify each other for ever.
 */
const maxEcho = 2;

/** Rule for the callbacks that are made for an event. */
export interface LoopRule {
  /** Echo of these callbacks. */
  readonly echo: number;
  /** True if callbacks are made for the event. */
  readonly isDelivered: boolean;
  /** Endpoint that gets no callback. */
  readonly excludedEndpointId: string | undefined;
}

const ordinaryRule: LoopRule = { echo: 0, isDelivered: true, excludedEndpointId: undefined };

/** Returns the rule for an event. */
export function toLoopRule({ topic, envelope, hops = 0 }: SubscribedEvent): LoopRule {
  if (topic !== callbackEventTopic)
    return hops === 0 ? ordinaryRule : { ...ordinaryRule, echo: hops };
  const { echo, endpointId } = envelope.payload ?? {};
  // Others can write to the log too: an echo that is not a positive integer counts as 0.
  const sourceEcho = typeof echo === 'number' && Number.isInteger(echo) && echo > 0 ? echo : 0;
  return {
    echo: sourceEcho + 1,
    isDelivered: sourceEcho < maxEcho,
    excludedEndpointId: sourceEcho > 0 && typeof endpointId === 'string' ? endpointId : undefined,
  };
}

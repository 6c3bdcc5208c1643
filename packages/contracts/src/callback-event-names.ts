/** Topic of the log that has all events about callbacks. */
export const callbackEventTopic = 'callbacks';

/**
 * Names of the events about callbacks and endpoints: the one list, from which settings and
 * `@posthaste/callbacks` take theirs. packages/callbacks/src/events/callback-events.ts says where the
 * payload of each is built, and how to add an event.
 */
export const callbackEventNames = [
  /** A callback is stored. */
  'callback.accepted',
  /** An attempt is recorded, whatever its outcome. */
  'callback.attempted',
  /** A callback is delivered. */
  'callback.delivered',
  /** A callback fails for good, or expires. */
  'callback.failed',
  /** An endpoint is disabled: its receiver answered 410, or somebody disabled it. */
  'endpoint.disabled',
] as const;

/** Name of an event about callbacks or endpoints. */
export type CallbackEventName = (typeof callbackEventNames)[number];

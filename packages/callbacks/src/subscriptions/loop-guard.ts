import { callbackEventTopic } from '../events/callback-events.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';

/**
 * Callbacks made for events about callbacks, which would otherwise go on for ever: their delivery
 * would be an event, which would be a callback, and so on.
 *
 * A callback's echo says how far it is from one that was not made for such an event: 0 is that one,
 * 1 was made for an event about it, 2 for an event about one of echo 1.
 *
 * - Of callbacks with an echo only their failure is told, and endpoints that they disable.
 * - What is told of a callback of echo 1 goes to other endpoints than its own.
 * - What is told of a callback of echo 2 goes to the log, and to no endpoint: two endpoints that
 *   both fail would else tell each other so without end.
 */
const maxEcho = 2;

/** What is sent for an event, and to whom. */
export interface LoopRule {
  /** Echo of the callbacks made for it. */
  readonly echo: number;
  /** Whether any are made. */
  readonly isHeard: boolean;
  /** The endpoint that gets none. */
  readonly except: string | undefined;
}

const ordinary: LoopRule = { echo: 0, isHeard: true, except: undefined };

export function toLoopRule({ topic, envelope }: SubscribedEvent): LoopRule {
  if (topic !== callbackEventTopic) return ordinary;
  const { echo, endpointId } = envelope.payload ?? {};
  // The log is open to others: what is not a number of ours is none.
  const told = typeof echo === 'number' && Number.isInteger(echo) && echo > 0 ? echo : 0;
  return {
    echo: told + 1,
    isHeard: told < maxEcho,
    except: told > 0 && typeof endpointId === 'string' ? endpointId : undefined,
  };
}

import type { KafkajsInternals, RequestQueue } from './kafkajs-internals.js';

const mended: unique symbol = Symbol('checks only when something waits');

type MendableQueue = RequestQueue & { [mended]?: true };

/**
 * kafkajs 2.2.4 looks every millisecond, on every connection and for as long as it lives, whether a
 * request waits to be sent, also when none does: several percent of a core while idle, and a warning
 * of Node about a negative timeout. Sending, answering and throttling each start that look anew, so
 * one that would find nothing is left out.
 */
export function stopIdleTimers({ requestQueue }: KafkajsInternals): void {
  const queue: MendableQueue = requestQueue;
  if (queue[mended]) return;
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function scheduleWhenPending(this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
  queue[mended] = true;
}

import { createRequire } from 'node:module';

/** The part of a kafkajs connection's request queue that is mended here. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const mended: unique symbol = Symbol('checks only when something waits');

type Mendable = RequestQueue & { [mended]?: true };

/**
 * kafkajs 2.2.4 looks every millisecond, on every connection and for as long as it lives, whether a
 * request waits to be sent, also when none does: several percent of a core while idle, and a warning
 * of Node about a negative timeout. Sending, answering and throttling each start that look anew, so
 * one that would find nothing is left out.
 */
export function stopIdleTimers(): void {
  const require = createRequire(import.meta.url);
  const queue = require('kafkajs/src/network/requestQueue') as { readonly prototype: Mendable };
  const { prototype } = queue;
  if (prototype[mended]) return;
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function scheduleWhenPending(this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
  prototype[mended] = true;
}

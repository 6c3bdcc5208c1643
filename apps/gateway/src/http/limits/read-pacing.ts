import { PlatformError } from '@posthaste/contracts';
import type { App } from '../../app.js';
import { toCaller } from '../client-address.js';
import { LeakyBuckets } from './leaky-buckets.js';

/** Reads that begin at once, after a pause of the caller: a page of the browser asks for many. */
const burst = 10;
/** Longest time that a read waits for its turn, in ms. More are refused. */
const maxWaitMs = 1_000;

/**
 * Lets the reads of one caller (GET and HEAD) begin at an even pace: a list takes a hundred times as
 * long as its request, so that a second's worth of them at once would delay everybody else.
 *
 * @param maxReadsPerSecond of one caller; 0 is no limit
 */
export function addReadPacing(app: App, maxReadsPerSecond: number): void {
  if (maxReadsPerSecond === 0) return;
  const buckets = new LeakyBuckets({ perSecond: maxReadsPerSecond, burst });
  // Created once: taking a stack trace per refusal would cost time that a flood is meant to cost.
  const tooMany = new PlatformError(
    'RATE_LIMITED',
    `the caller has sent more than ${maxReadsPerSecond} requests that read (GET) in a second`,
  );
  app.addHook('onRoute', (route) => {
    const isRead = [route.method].flat().some((method) => method === 'GET' || method === 'HEAD');
    if (!isRead || route.config?.rateLimit === false) return;
    const others = route.onRequest ?? [];
    route.onRequest = [
      ...(Array.isArray(others) ? others : [others]),
      (request, _reply, done) => {
        const limits = { now: request.startedAt, maxWaitMs };
        const waitMs = buckets.pour(toCaller(request), 1, limits);
        if (waitMs === undefined) done(tooMany);
        else if (waitMs < 1) done();
        else setTimeout(done, waitMs);
      },
    ];
  });
}

import { getHeapStatistics } from 'node:v8';
import underPressure from '@fastify/under-pressure';
import { PlatformError } from '@posthaste/contracts';
import type { App } from '../../app.js';
import type { RequestStep } from '../request-steps.js';

const minSampleIntervalMs = 250;

export interface PressureLimits {
  /** Longest delay of the event loop, in ms. 0 is no limit. */
  readonly maxEventLoopDelayMs: number;
  /** Percentage of the heap that V8 may use at most. 0 is no limit. */
  readonly maxHeapPercent: number;
}

/** Created once: taking a stack trace per refusal would cost time that is missing under load. */
const overloaded = new PlatformError('OVERLOADED', 'the server is too busy to take requests now');

/**
 * Creates the step that refuses requests with 503 while the event loop lags or memory is short.
 * Routes with `answersUnderLoad` are not refused.
 */
export async function createPressureStep(app: App, limits: PressureLimits): Promise<RequestStep> {
  // In a scope without routes, so that the library's own hook never runs: it reads the options of
  // the route on each request, even without pressure.
  let isUnderPressure = (): boolean => false;
  await app.register(async (scope: App) => {
    await scope.register(underPressure, {
      maxEventLoopDelay: limits.maxEventLoopDelayMs,
      maxHeapUsedBytes: (getHeapStatistics().heap_size_limit * limits.maxHeapPercent) / 100,
      // An interval without a turn of the event loop counts as an endless delay, so the interval
      // must not be shorter than the delay that is allowed.
      sampleInterval: Math.max(minSampleIntervalMs, limits.maxEventLoopDelayMs),
    });
    isUnderPressure = () => scope.isUnderPressure();
  });
  return (request) => {
    if (!isUnderPressure() || request.routeOptions.config.answersUnderLoad) return undefined;
    return overloaded;
  };
}

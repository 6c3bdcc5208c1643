import { getHeapStatistics } from 'node:v8';
import underPressure from '@fastify/under-pressure';
import { PlatformError } from '@posthaste/contracts';
import type { App } from '../app.js';
import type { RequestStep } from './request-steps.js';

const minSampleIntervalMs = 250;

export interface PressureLimits {
  /** 0 is no limit. */
  readonly maxEventLoopDelayMs: number;
  /** Of the heap that V8 may use at most; 0 is no limit. */
  readonly maxHeapPercent: number;
}

/** Made once: under load, not even a stack trace is taken. */
const overloaded = new PlatformError('OVERLOADED', 'the server is too busy to take this now');

/**
 * Watches the process, and creates the step that refuses requests with 503 while it is behind with
 * its work or short of memory. Routes with `answersUnderLoad` are not refused.
 */
export async function createPressureStep(app: App, limits: PressureLimits): Promise<RequestStep> {
  // In a scope without routes, because the hook of the library would ask each request for its
  // options, also when there is no pressure.
  let isUnderPressure = (): boolean => false;
  await app.register(async (scope: App) => {
    await scope.register(underPressure, {
      maxEventLoopDelay: limits.maxEventLoopDelayMs,
      maxHeapUsedBytes: (getHeapStatistics().heap_size_limit * limits.maxHeapPercent) / 100,
      // An interval in which the loop never turned counts as endless delay, so none is shorter
      // than the delay that is allowed.
      sampleInterval: Math.max(minSampleIntervalMs, limits.maxEventLoopDelayMs),
    });
    isUnderPressure = () => scope.isUnderPressure();
  });
  return (request) => {
    if (!isUnderPressure() || request.routeOptions.config.answersUnderLoad) return undefined;
    return overloaded;
  };
}

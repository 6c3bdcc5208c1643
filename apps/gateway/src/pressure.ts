import { getHeapStatistics } from 'node:v8';
import underPressure from '@fastify/under-pressure';
import { PlatformError } from '@posthaste/contracts';
import type { App } from './app.js';

const minSampleIntervalMs = 250;
const retryAfterSeconds = 1;

export interface PressureLimits {
  /** 0 is no limit. */
  readonly maxEventLoopDelayMs: number;
  /** Of the heap that V8 may use at most; 0 is no limit. */
  readonly maxHeapPercent: number;
}

/** Made once and thrown often: under load, not even a stack trace is taken. */
class Overloaded extends PlatformError {
  constructor() {
    super('OVERLOADED', 'the server is too busy to take this now');
  }
}

/** Refuses requests with 503 while the process is behind with its work or short of memory. */
export async function addPressure(app: App, limits: PressureLimits): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: limits.maxEventLoopDelayMs,
    maxHeapUsedBytes: (getHeapStatistics().heap_size_limit * limits.maxHeapPercent) / 100,
    // An interval in which the loop never turned counts as endless delay, so none is shorter than
    // the delay that is allowed.
    sampleInterval: Math.max(minSampleIntervalMs, limits.maxEventLoopDelayMs),
    retryAfter: retryAfterSeconds,
    customError: Overloaded,
  });
}

/** For routes that must answer under load: what looks after the server asks there. */
export function answerUnderLoad(): void {
  // Doing nothing instead of refusing is all that is needed.
}

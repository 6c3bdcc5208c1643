import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { PlatformError } from '@posthaste/contracts';
import type { AttemptSettings } from '../delivery/attempt-request.js';
import { isName } from '../field-checks.js';
import type { OriginLimits } from './origin-limiter.js';
import type { SlotLimits } from './slots.js';

/** Options of a dispatcher. Defaults and rules: {@link resolveDispatcherOptions}. */
export interface DispatcherOptions {
  /**
   * Name of this worker in the history of callbacks. Default `<host>:<process id>`, followed by
   * `.<thread id>` outside of the main thread.
   */
  readonly holder?: string | undefined;
  /** Value of the User-Agent header where a callback has none. Default `Posthaste`. */
  readonly userAgent?: string | undefined;
  /** Bytes of an answer's body that are kept. Default 16,384. */
  readonly maxResponseBytes?: number | undefined;
  /** Time for which a worker holds a callback, in ms. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /**
   * Part of the lease that is kept for writing the result, in ms; below half of `leaseMs`. An
   * attempt starts only if its time-out and this are left, and its time-out is cut to the lease
   * less twice this. Default 1,000, or a quarter of `leaseMs` if that is less.
   */
  readonly leaseMarginMs?: number | undefined;
  /** Limits of the attempts in flight. */
  readonly slots?: SlotOptions | undefined;
  /**
   * Callbacks of one ordered queue that are sent one after another under one lease. Default 100.
   */
  readonly maxPerLease?: number | undefined;
  /**
   * Shortest wait before a retry, in ms. A shorter delay of a policy is lengthened: the first one to
   * 10, each further one to twice that, up to this. Default 1,000.
   */
  readonly minRetryDelayMs?: number | undefined;
  /** Attempts of unknown outcome after which a callback fails for good. Default 10. */
  readonly maxUnknowns?: number | undefined;
  /**
   * Longest time between two polls for due callbacks, in ms. Workers are notified of new callbacks
   * and know the next due time, so polls are for notifications that were lost. Default 500.
   */
  readonly pollMs?: number | undefined;
  /** Time that a result waits for others to share its write, in ms. Default 20. */
  readonly recordWindowMs?: number | undefined;
  /**
   * The same for results that need a transaction, such as those of ordered queues, whose next
   * callback waits for the write. In ms. Default 4.
   */
  readonly orderedRecordWindowMs?: number | undefined;
  /** Rows of one claim, and results of one write, at most. Default 256. */
  readonly maxBatch?: number | undefined;
  /**
   * Bytes of bodies of more than 32 KiB that are in memory at the same time; one origin may use
   * half of it. A single larger body is sent alone. Default 33,554,432 (32 MiB).
   */
  readonly maxLargeBodyBytes?: number | undefined;
}

/** Limits of the attempts in flight of one dispatcher. */
export interface SlotOptions {
  /** Attempts in flight in all. Default 512. */
  readonly total?: number | undefined;
  /** Attempts in flight for one application. Default: three quarters of `total`. */
  readonly perApplication?: number | undefined;
  readonly origin?: OriginOptions | undefined;
}

/** Limits of one origin and of those who send to it, and its circuit breaker. */
export interface OriginOptions {
  /** Attempts in flight at most. Default: a quarter of `total`. */
  readonly max?: number | undefined;
  /**
   * Attempts in flight at first for what one application sends to the origin, or to one endpoint;
   * at most `max`. Default 16, or `max` if that is less.
   */
  readonly initial?: number | undefined;
  /** Connection failures in a row that open the circuit breaker. Default 20. */
  readonly breakAfter?: number | undefined;
  /** Upper bound of the breaker's first opening, in ms; doubles with each. Default 1,000. */
  readonly minOpenMs?: number | undefined;
  /**
   * Upper bound of every opening, in ms; `minOpenMs` or more. Default 30,000, or `minOpenMs` if that
   * is more.
   */
  readonly maxOpenMs?: number | undefined;
}

/** Options of a dispatcher, complete and valid. */
export interface ResolvedDispatcherOptions extends AttemptSettings {
  readonly holder: string;
  readonly leaseMs: number;
  readonly leaseMarginMs: number;
  readonly slots: SlotLimits;
  readonly maxPerLease: number;
  readonly minRetryDelayMs: number;
  readonly maxUnknowns: number;
  readonly pollMs: number;
  readonly recordWindowMs: number;
  readonly orderedRecordWindowMs: number;
  readonly maxBatch: number;
  readonly maxLargeBodyBytes: number;
}

/** Range of an option's value. */
interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

const maxInteger = 2 ** 31 - 1;
const count: Range = { min: 1, max: maxInteger, whole: true };
const size: Range = { ...count, min: 0 };
/** A timer of Node with a longer delay fires at once. */
const time: Range = { min: 1, max: maxInteger, whole: false };
const window: Range = { ...time, min: 0 };
const headerText = /^[\x20-\x7e]+$/;

/**
 * Fills in the defaults and checks the result. The only place that knows the defaults.
 * @throws PlatformError `OPTION_INVALID`, with the name of the option and its value
 */
export function resolveDispatcherOptions(
  options: DispatcherOptions = {},
): ResolvedDispatcherOptions {
  const resolved: ResolvedDispatcherOptions = {
    holder: options.holder ?? defaultHolder(),
    userAgent: options.userAgent ?? 'Posthaste',
    maxResponseBytes: options.maxResponseBytes ?? 16_384,
    leaseMs: options.leaseMs ?? 30_000,
    leaseMarginMs: options.leaseMarginMs ?? Math.min(1_000, (options.leaseMs ?? 30_000) / 4),
    slots: resolveSlots(options.slots),
    maxPerLease: options.maxPerLease ?? 100,
    minRetryDelayMs: options.minRetryDelayMs ?? 1_000,
    maxUnknowns: options.maxUnknowns ?? 10,
    pollMs: options.pollMs ?? 500,
    recordWindowMs: options.recordWindowMs ?? 20,
    orderedRecordWindowMs: options.orderedRecordWindowMs ?? 4,
    maxBatch: options.maxBatch ?? 256,
    maxLargeBodyBytes: options.maxLargeBodyBytes ?? 32 * 1024 * 1024,
  };
  const { holder, userAgent, leaseMs, leaseMarginMs } = resolved;
  if (holder === '' || !isName(holder)) throw invalid('holder', holder, 'must be a name');
  if (!headerText.test(userAgent)) throw invalid('userAgent', userAgent, 'must be printable ASCII');
  checkRange('maxResponseBytes', resolved.maxResponseBytes, size);
  checkRange('leaseMs', leaseMs, time);
  checkRange('leaseMarginMs', leaseMarginMs, window);
  if (2 * leaseMarginMs >= leaseMs) {
    throw invalid('leaseMarginMs', leaseMarginMs, `must be below half of leaseMs (${leaseMs})`);
  }
  checkRange('maxPerLease', resolved.maxPerLease, count);
  checkRange('minRetryDelayMs', resolved.minRetryDelayMs, window);
  checkRange('maxUnknowns', resolved.maxUnknowns, count);
  checkRange('pollMs', resolved.pollMs, time);
  checkRange('recordWindowMs', resolved.recordWindowMs, window);
  checkRange('orderedRecordWindowMs', resolved.orderedRecordWindowMs, window);
  checkRange('maxBatch', resolved.maxBatch, count);
  checkRange('maxLargeBodyBytes', resolved.maxLargeBodyBytes, count);
  return resolved;
}

function defaultHolder(): string {
  return `${hostname()}:${process.pid}${threadId === 0 ? '' : `.${threadId}`}`;
}

function resolveSlots(options: SlotOptions = {}): SlotLimits {
  const total = options.total ?? 512;
  checkRange('slots.total', total, count);
  const perApplication = options.perApplication ?? Math.ceil((total * 3) / 4);
  checkRange('slots.perApplication', perApplication, count);
  return { total, perApplication, origin: resolveOrigin(options.origin, total) };
}

function resolveOrigin(options: OriginOptions = {}, total: number): OriginLimits {
  const max = options.max ?? Math.ceil(total / 4);
  const initial = options.initial ?? Math.min(max, 16);
  const breakAfter = options.breakAfter ?? 20;
  const minOpenMs = options.minOpenMs ?? 1_000;
  const maxOpenMs = options.maxOpenMs ?? Math.max(30_000, minOpenMs);
  checkRange('slots.origin.max', max, count);
  checkRange('slots.origin.initial', initial, { ...count, max });
  checkRange('slots.origin.breakAfter', breakAfter, count);
  checkRange('slots.origin.minOpenMs', minOpenMs, time);
  checkRange('slots.origin.maxOpenMs', maxOpenMs, { ...time, min: minOpenMs });
  return { max, initial, breakAfter, minOpenMs, maxOpenMs };
}

function checkRange(name: string, value: number, { min, max, whole }: Range): void {
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return;
  throw invalid(
    name,
    value,
    `must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`,
  );
}

function invalid(name: string, value: string | number, rule: string): PlatformError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : value;
  return new PlatformError('OPTION_INVALID', `option ${name} is ${shown}; it ${rule}`);
}

import type { Queryable } from '@posthaste/postgres';
import type { ApplicationLimits, LimitName } from './application.js';
import { listLimits } from './limit-store.js';
import { type ApplicationUsage, readUsage, type UsageName } from './usage-store.js';

/** Options of {@link LimitDirectory}. */
export interface LimitDirectoryOptions {
  /** Limits of applications that have none of their own; `null` is no limit. */
  readonly defaults: ApplicationLimits;
  /** Interval in which limits and usage are read, in ms. Default 2,000. */
  readonly refreshMs?: number | undefined;
  /** Called when they could not be read. What was read before stays. Default: does nothing. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Reads of the changes between two reads of all limits: in case a change was committed very late. */
const changesPerFullRead = 30;

/**
 * Limits and usage of applications as one process knows them: a few seconds old, in memory, and so
 * without a statement per request.
 */
export class LimitDirectory {
  readonly #db: Queryable;
  readonly #defaults: ApplicationLimits;
  readonly #refreshMs: number;
  readonly #onError: (error: unknown) => void;
  #own = new Map<string, ApplicationLimits>();
  #usage: ReadonlyMap<string, ApplicationUsage> = new Map();
  #changedAt: Date | undefined;
  #reads = 0;
  #refreshing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(db: Queryable, options: LimitDirectoryOptions) {
    const { defaults, refreshMs = 2_000, onError = () => undefined } = options;
    this.#db = db;
    this.#defaults = defaults;
    this.#refreshMs = refreshMs;
    this.#onError = onError;
  }

  /** False if no application has a limit: then nothing needs to be counted. */
  get isActive(): boolean {
    return this.#own.size > 0 || hasLimit(this.#defaults);
  }

  /** Returns a limit of an application; infinite if it has none. */
  limitOf(application: string, name: LimitName): number {
    const own = this.#own.get(application)?.[name];
    return own ?? this.#defaults[name] ?? Number.POSITIVE_INFINITY;
  }

  /** Returns the amount that was measured last; 0 if none was. */
  usageOf(application: string, name: UsageName): number {
    return this.#usage.get(application)?.[name] ?? 0;
  }

  /** Starts to read. Resolves after the first read, also if that failed. Does not reject. */
  start(): Promise<void> {
    this.#refreshing ??= this.#refresh();
    return this.#refreshing;
  }

  /** Stops, after the read in hand. Idempotent. The database stays open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#refreshing;
  }

  #refresh(): Promise<void> {
    return this.#read()
      .catch(this.#onError)
      .finally(() => {
        if (this.#isClosed) return;
        this.#timer = setTimeout(() => {
          this.#refreshing = this.#refresh();
        }, this.#refreshMs).unref();
      });
  }

  async #read(): Promise<void> {
    const isFull = this.#changedAt === undefined || this.#reads % changesPerFullRead === 0;
    const limits = await listLimits(this.#db, isFull ? undefined : this.#changedAt);
    const own = isFull ? new Map<string, ApplicationLimits>() : this.#own;
    for (const each of limits) {
      if (hasLimit(each.limits)) own.set(each.application, each.limits);
      else own.delete(each.application);
      if (this.#changedAt === undefined || each.updatedAt > this.#changedAt) {
        this.#changedAt = each.updatedAt;
      }
    }
    this.#own = own;
    this.#changedAt ??= new Date(0);
    this.#reads += 1;
    this.#usage = this.isActive ? await readUsage(this.#db, 'all') : new Map();
  }
}

function hasLimit(limits: ApplicationLimits): boolean {
  return Object.values(limits).some((limit) => limit !== null);
}

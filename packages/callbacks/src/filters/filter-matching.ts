import { eventDataOf } from '@posthaste/contracts';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import type { ApplicationIndexes } from '../subscriptions/application-indexes.js';
import type {
  EventTarget,
  FilteredSubscription,
  IndexedSubscription,
} from '../subscriptions/subscription-list.js';
import { CompiledFilters } from './compiled-filters.js';
import { FilterBudget } from './filter-budget.js';
import type { FilterFault } from './filter-fault.js';
import type { FilterLimits } from './filter-limits.js';
import { FilterPayload } from './filter-payload.js';
import { type FilterResult, FilterThreads } from './filter-threads.js';

/*
 * Matching of filters, which callers write and which therefore must not take the time of others.
 *
 * - The work of a filter with an event is estimated before (filter-work.ts). Nearly all are small and
 *   are matched at once, in this thread.
 * - A large one is matched in another thread, which a time limit can end (filter-threads.ts), and the
 *   processor time of each application is limited (filter-budget.ts).
 * - One above `maxWork` is not matched at all.
 *
 * A filter that is not matched, or not to its end, is faulty for this event: the subscription does not
 * get it, and shows why.
 */

/** Steps up to which a filter is small: about as long as it takes to store a callback. */
const smallWork = 5_000;
/** Steps up to which a filter costs next to nothing. */
const tinyWork = 200;
/** Steps of small filters that an application may take of this thread in one batch of events. */
const maxSmallWork = 200_000;
/** Steps of tiny filters that count as one: usual events have many of them. */
const tinyStepsPerStep = 25;
/** Longest time that this thread matches before others get their turn, in ms. */
const maxBlockedMs = 10;

/** Endpoints that get the events of a batch. */
export interface MatchedEvents {
  /** Endpoints of each event, each once. */
  readonly targets: readonly (readonly EventTarget[])[];
  readonly faults: readonly FilterFault[];
}

/** Result that is a fault. */
type Fault = Exclude<FilterResult, 'matches' | 'differs'>;

/** Large filters of one application that wait to be matched with one event. */
interface LargeMatch {
  readonly eventId: string;
  readonly payload: FilterPayload;
  /** Endpoints that get the event, as far as it is known. */
  readonly targets: Set<EventTarget>;
  readonly subscriptions: FilteredSubscription[];
}

/** One batch of events, while it is matched. */
interface Batch {
  readonly faults: FilterFault[];
  /** Steps that each application has taken of this thread. */
  readonly work: Map<string, { steps: number }>;
  /** Large filters, by application. */
  readonly large: Map<string, LargeMatch[]>;
}

/** Subscriptions that events are matched with. */
export type MatchedSubscriptions = Pick<
  ApplicationIndexes<IndexedSubscription>,
  'findSubscriptions' | 'applicationCount'
>;

/** Finds the endpoints of events, with a limited effort for each event and application. */
export class FilterMatching {
  readonly #limits: FilterLimits;
  readonly #compiled = new CompiledFilters();
  readonly #budget: FilterBudget;
  readonly #threads: FilterThreads;

  constructor(limits: FilterLimits) {
    this.#limits = limits;
    this.#budget = new FilterBudget(limits);
    this.#threads = new FilterThreads(limits);
  }

  /**
   * Finds the endpoints that get the events.
   * @throws PlatformError `STOPPING` after `close`
   */
  async match(
    index: MatchedSubscriptions,
    events: readonly SubscribedEvent[],
  ): Promise<MatchedEvents> {
    const batch: Batch = { faults: [], work: new Map(), large: new Map() };
    const targets: Set<EventTarget>[] = [];
    let startedMs = performance.now();
    for (const event of events) {
      targets.push(this.#matchSmall(index.findSubscriptions(event), event, batch));
      if (performance.now() - startedMs < maxBlockedMs) continue;
      await new Promise(setImmediate);
      startedMs = performance.now();
    }
    const isShared = index.applicationCount > 1;
    await Promise.all(
      [...batch.large].map(async ([application, matches]) => {
        for (const match of matches)
          await this.#matchLarge(application, match, { batch, isShared });
      }),
    );
    return { targets: targets.map((set) => [...set]), faults: batch.faults };
  }

  /** Ends the threads. Idempotent. */
  close(): Promise<void> {
    return this.#threads.close();
  }

  /** Matches what is small, and puts what is large into the batch. */
  #matchSmall(
    subscriptions: readonly IndexedSubscription[],
    { envelope }: SubscribedEvent,
    batch: Batch,
  ): Set<EventTarget> {
    const targets = new Set<EventTarget>();
    let payload: FilterPayload | undefined;
    for (const subscription of subscriptions) {
      const { target } = subscription;
      if (targets.has(target)) continue;
      if (!isFiltered(subscription)) {
        targets.add(target);
        continue;
      }
      payload ??= new FilterPayload(eventDataOf(envelope));
      const result = this.#matchHere(subscription, payload, batch);
      if (result === 'matches') targets.add(target);
      else if (result === 'open') {
        addLarge(batch, subscription, { eventId: envelope.id, payload, targets });
      } else if (result !== 'differs') {
        batch.faults.push(this.#toFault(subscription, envelope.id, result));
      }
    }
    return targets;
  }

  /** Returns `open` if the filter must be matched in another thread. */
  #matchHere(
    { target: { application }, filter: text }: FilteredSubscription,
    payload: FilterPayload,
    batch: Batch,
  ): FilterResult {
    const filter = this.#compiled.find(application, text);
    const { costWork } = filter;
    if (costWork > 0 && !takeWork(batch, application, costWork)) return 'open';
    const work = payload.workOf(filter.cost);
    if (work > this.#limits.maxWork) return 'costly';
    if (work > smallWork || !takeWork(batch, application, work + filter.compileWork)) return 'open';
    try {
      return filter.matches(payload.filterData) ? 'matches' : 'differs';
    } catch {
      return 'failed';
    }
  }

  async #matchLarge(
    application: string,
    { eventId, payload, targets, subscriptions }: LargeMatch,
    { batch, isShared }: { readonly batch: Batch; readonly isShared: boolean },
  ): Promise<void> {
    // Another subscription of the endpoint may have matched meanwhile.
    const open = subscriptions.filter(({ target }) => !targets.has(target));
    const budgetMs = isShared ? this.#budget.left(application) : Number.POSITIVE_INFINITY;
    const filters = open.map(({ filter }) => filter);
    const { maxWork } = this.#limits;
    const { results, usedMs } =
      budgetMs > 0 && open.length > 0
        ? await this.#threads.match({ application, data: payload.text, filters, budgetMs, maxWork })
        : { results: open.map(() => 'open' as const), usedMs: 0 };
    this.#budget.charge(application, usedMs);
    for (const [index, subscription] of open.entries()) {
      const result = results[index] ?? 'open';
      if (result === 'matches') targets.add(subscription.target);
      else if (result !== 'differs')
        batch.faults.push(this.#toFault(subscription, eventId, result));
    }
  }

  #toFault(
    { id, filter, target }: FilteredSubscription,
    eventId: string,
    result: Fault,
  ): FilterFault {
    const { application } = target;
    return { subscriptionId: id, application, filter, eventId, ...this.#reasonOf(result) };
  }

  #reasonOf(result: Fault): Pick<FilterFault, 'code' | 'message'> {
    const { maxWork, timeoutMs, msPerSecond } = this.#limits;
    switch (result) {
      case 'costly': {
        const message = `matching the event would take more than ${maxWork} steps; use a smaller filter or smaller events`;
        return { code: 'FILTER_TOO_COSTLY', message };
      }
      case 'timeout':
        return {
          code: 'FILTER_TIMEOUT',
          message: `matching the event was ended after ${timeoutMs} ms`,
        };
      case 'open': {
        const message = `the large filters of the application have used their ${msPerSecond} ms of processor time a second, or ${timeoutMs} ms for the event`;
        return { code: 'FILTER_OVER_BUDGET', message };
      }
      case 'failed':
      case 'crashed':
        return {
          code: 'FILTER_FAILED',
          message: 'matching the event failed, for example because of its memory',
        };
    }
  }
}

function isFiltered(subscription: IndexedSubscription): subscription is FilteredSubscription {
  return subscription.filter !== undefined;
}

/** Takes work from this thread, for an application. False if it has taken too much. */
function takeWork({ work: taken }: Batch, application: string, work: number): boolean {
  let own = taken.get(application);
  if (!own) {
    own = { steps: 0 };
    taken.set(application, own);
  }
  const sum = own.steps + (work <= tinyWork ? work / tinyStepsPerStep : work);
  if (sum > maxSmallWork) return false;
  own.steps = sum;
  return true;
}

function addLarge(
  { large }: Batch,
  subscription: FilteredSubscription,
  match: Omit<LargeMatch, 'subscriptions'>,
): void {
  const { application } = subscription.target;
  const matches = large.get(application) ?? [];
  large.set(application, matches);
  const last = matches.at(-1);
  if (last?.payload === match.payload) last.subscriptions.push(subscription);
  else matches.push({ ...match, subscriptions: [subscription] });
}

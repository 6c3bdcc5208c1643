import { parseJsonWithDigits } from '@posthaste/contracts';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { compileFilter, type FilterData, parseFilter } from './filter-compiler.js';
import { costOf, type FilterCost } from './filter-work.js';

/** A filter in memory. What is expensive is done when it is needed, and kept. */
export class CompiledFilter {
  readonly #text: string;
  #cost: FilterCost | undefined;
  #validate: ValidateFunction | undefined;

  /** @param text a valid filter, as JSON */
  constructor(text: string) {
    this.#text = text;
  }

  get cost(): FilterCost {
    this.#cost ??= costOf(parseJsonWithDigits(this.#text));
    return this.#cost;
  }

  /** Steps, as in filter-work.ts, that `cost` takes if it is not known yet. */
  get costWork(): number {
    return this.#cost ? 0 : this.#text.length;
  }

  /** Steps of compiling it, if it is not compiled yet. */
  get compileWork(): number {
    return this.#validate ? 0 : this.cost.compile;
  }

  /** True if the data satisfies the filter. @throws Error if the filter is not valid */
  matches(data: FilterData): boolean {
    this.#validate ??= compileFilter(parseFilter(this.#text));
    return this.#validate(data.rootData, data);
  }
}

/**
 * Filters in memory, a limited number for each application and in all. The one that was used longest
 * ago is dropped first, of the application that has the most: no application can push out those of
 * another one by having many.
 */
export class CompiledFilters {
  readonly #maxPerApplication: number;
  readonly #max: number;
  readonly #applications = new Map<string, Map<string, CompiledFilter>>();
  #size = 0;

  constructor(maxPerApplication = 1_000, max = 4_000) {
    this.#maxPerApplication = maxPerApplication;
    this.#max = max;
  }

  /**
   * Finds a filter, which is not compiled when it is used for the first time.
   * @param text a valid filter, as JSON
   */
  find(application: string, text: string): CompiledFilter {
    const filters = this.#applications.get(application) ?? this.#addApplication(application);
    const known = filters.get(text);
    if (known) {
      // Set again, so that the order of the map is that of use. That takes as long as a small match,
      // so not while the application has few.
      if (filters.size * 2 > this.#maxPerApplication) {
        filters.delete(text);
        filters.set(text, known);
      }
      return known;
    }
    const filter = new CompiledFilter(text);
    filters.set(text, filter);
    this.#size += 1;
    if (filters.size > this.#maxPerApplication) this.#drop(application, filters);
    else if (this.#size > this.#max) this.#dropOfLargest();
    return filter;
  }

  #addApplication(application: string): Map<string, CompiledFilter> {
    const filters = new Map<string, CompiledFilter>();
    this.#applications.set(application, filters);
    return filters;
  }

  #dropOfLargest(): void {
    const [largest] = [...this.#applications].sort(([, a], [, b]) => b.size - a.size);
    if (largest) this.#drop(...largest);
  }

  #drop(application: string, filters: Map<string, CompiledFilter>): void {
    const leastUsed = filters.keys().next();
    if (!leastUsed.done && filters.delete(leastUsed.value)) this.#size -= 1;
    if (filters.size === 0) this.#applications.delete(application);
  }
}

import { hasExactNumber, stringifyExactJson } from '@posthaste/contracts';
import { type FilterData, toFilterData } from './filter-compiler.js';
import { type FilterCost, type PayloadSize, sizeOf, workOf } from './filter-work.js';

/** Payload of an event as filters need it: measured and converted once, for all of them. */
export class FilterPayload {
  readonly #data: unknown;
  #size: PayloadSize | undefined;
  #hasExact: boolean | undefined;
  #filterData: FilterData | undefined;
  #text: string | undefined;

  /** @param data data of an event, of `parseJsonWithDigits`; undefined counts as an empty object */
  constructor(data: unknown) {
    this.#data = data === undefined ? {} : data;
  }

  /** Returns the steps of matching it with a filter of this cost. */
  workOf(cost: FilterCost): number {
    // Usual filters compare numbers at most, and usual payloads have only plain ones.
    const isFixed = cost.each + cost.texts === 0 && (cost.numbers === 0 || !this.#isExact());
    if (isFixed) return cost.once;
    this.#size ??= sizeOf(this.#data);
    return workOf(cost, this.#size);
  }

  /** For compiled filters of this thread. */
  get filterData(): FilterData {
    this.#filterData ??= toFilterData(this.#data, this.#isExact());
    return this.#filterData;
  }

  /** JSON, for another thread. */
  get text(): string {
    this.#text ??= stringifyExactJson(this.#data);
    return this.#text;
  }

  /** True if it has numbers that plain doubles do not hold. */
  #isExact(): boolean {
    this.#hasExact ??= this.#size ? this.#size.longestNumber > 0 : hasExactNumber(this.#data);
    return this.#hasExact;
  }
}

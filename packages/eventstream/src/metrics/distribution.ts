import type { MetricSample } from './metric-family.js';

type Labels = Readonly<Record<string, string>>;

/** Distribution of observed values: their number and sum, and the number up to each bound. */
export class Distribution {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  /** @param bounds upper bounds, ascending; infinity is added */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#count += 1;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at !== -1) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** Returns the samples of a histogram. */
  toHistogram(labels: Labels): readonly MetricSample[] {
    let below = 0;
    const buckets = this.#bounds.map((bound, at) => {
      below += this.#counts[at] ?? 0;
      return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below };
    });
    const all = { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: this.#count };
    return [...buckets, all, ...this.#totals(labels)];
  }

  /**
   * Returns a summary as in the Go SDK: "quantiles" 0.1, 0.5, 0.9 are minimum, mean and maximum.
   */
  toSummary(labels: Labels): readonly MetricSample[] {
    const empty = this.#count === 0;
    const sample = (quantile: string, value: number): MetricSample => ({
      labels: { ...labels, quantile },
      value: empty ? 0 : value,
    });
    const mean = this.#sum / this.#count;
    const quantiles = [sample('0.1', this.#min), sample('0.5', mean), sample('0.9', this.#max)];
    return [...quantiles, ...this.#totals(labels)];
  }

  #totals(labels: Labels): readonly MetricSample[] {
    return [
      { suffix: '_sum', labels, value: this.#sum },
      { suffix: '_count', labels, value: this.#count },
    ];
  }
}

/** Counts of a run. */
export interface RealtimeSizes {
  readonly rounds: number;
  readonly subscribers: number;
  readonly seconds: number;
  readonly idle: number;
  /** Clients that are cut. */
  readonly cut: number;
}

export const fullSizes: RealtimeSizes = {
  ...{ rounds: 3, subscribers: 1_000, seconds: 5 },
  ...{ idle: 10_000, cut: 5_000 },
};
export const quickSizes: RealtimeSizes = {
  ...{ rounds: 1, subscribers: 200, seconds: 1 },
  ...{ idle: 500, cut: 500 },
};

/** Sizes of the measurements of callbacks. */
export interface Sizes {
  /** Number of runs of every case; the median counts. */
  readonly rounds: number;
  /** Callbacks that are delivered in each run. */
  readonly callbacks: number;
  readonly orderedQueues: number;
  /** Callbacks that wait behind blocked heads, and the number of their queues. */
  readonly blocked: number;
  readonly blockedQueues: number;
  /** Finished callbacks in the history. */
  readonly history: number;
  /** Callbacks to a host that never responds. */
  readonly hanging: number;
  /** Warm-up before each run of the intake and of the latency. */
  readonly warmUpSeconds: number;
  /** Length of each run of the intake, and of the latency. */
  readonly intakeSeconds: number;
  readonly latencySeconds: number;
  readonly smallBacklog: number;
  readonly largeBacklog: number;
}

export const fullSizes: Sizes = {
  rounds: 3,
  callbacks: 120_000,
  orderedQueues: 10_000,
  blocked: 100_000,
  blockedQueues: 1_000,
  history: 1_000_000,
  hanging: 1_000,
  warmUpSeconds: 3,
  intakeSeconds: 10,
  latencySeconds: 20,
  smallBacklog: 10_000,
  largeBacklog: 1_000_000,
};

export const quickSizes: Sizes = {
  rounds: 1,
  callbacks: 10_000,
  orderedQueues: 1_000,
  blocked: 10_000,
  blockedQueues: 100,
  history: 50_000,
  hanging: 200,
  warmUpSeconds: 1,
  intakeSeconds: 3,
  latencySeconds: 5,
  smallBacklog: 5_000,
  largeBacklog: 50_000,
};

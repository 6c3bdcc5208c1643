/** Sizes of the measurements of the event stream. */
export interface StreamSizes {
  /** Number of runs of every contender; the median counts. */
  readonly rounds: number;
  /** Partitions of every topic on Kafka. */
  readonly partitions: number;
  /** Publishers that await each of their events. */
  readonly callers: number;
  /** Warm-up of awaited publishing and of latencies; settling time of idle clients. */
  readonly warmUpSeconds: number;
  /** Length of each run of awaited publishing. */
  readonly eachSeconds: number;
  /** Events published in batches, and events consumed, in each run; the warm-up is a tenth more. */
  readonly batchedEvents: number;
  readonly consumedEvents: number;
  /** Events per second whose latency is measured, and the length of each run. */
  readonly pacePerSecond: number;
  readonly latencySeconds: number;
  readonly idleSeconds: number;
  /** Events appended to the postgres stream, and consumed from it, in each run. */
  readonly postgresEvents: number;
  /** Events that a worker publishes to Kafka in each run. */
  readonly relayedEvents: number;
}

export const fullStreamSizes: StreamSizes = {
  rounds: 3,
  partitions: 3,
  callers: 500,
  warmUpSeconds: 3,
  eachSeconds: 8,
  batchedEvents: 400_000,
  consumedEvents: 400_000,
  pacePerSecond: 1_000,
  latencySeconds: 20,
  idleSeconds: 10,
  postgresEvents: 100_000,
  relayedEvents: 200_000,
};

export const quickStreamSizes: StreamSizes = {
  rounds: 1,
  partitions: 3,
  callers: 500,
  warmUpSeconds: 1,
  eachSeconds: 2,
  batchedEvents: 50_000,
  consumedEvents: 50_000,
  pacePerSecond: 1_000,
  latencySeconds: 3,
  idleSeconds: 3,
  postgresEvents: 20_000,
  relayedEvents: 20_000,
};

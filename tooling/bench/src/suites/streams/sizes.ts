/** How much of the event stream is measured. */
export interface StreamSizes {
  /** Times that every contender is run, in turn; the median counts. */
  readonly rounds: number;
  /** Of every topic on Kafka. */
  readonly partitions: number;
  /** Publishers that await each of their events. */
  readonly callers: number;
  /** Before awaited publishing and latencies are measured; clients that will be idle settle so long. */
  readonly warmUpSeconds: number;
  /** Length of every run of awaited publishing. */
  readonly eachSeconds: number;
  /** Events published in batches, and events consumed, in each run; a tenth more to warm up. */
  readonly batchedEvents: number;
  readonly consumedEvents: number;
  /** Events a second whose latency is measured, and for how long. */
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

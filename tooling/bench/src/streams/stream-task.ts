/** What a contender's process is asked to do, and what it tells its parent over IPC. */

/** Where events go. */
export interface StreamPlace {
  /** Exists already. */
  readonly topic: string;
  readonly brokers: readonly string[];
  /** Of the postgres stream; empty for Kafka. */
  readonly databaseUrl: string;
}

export type StreamTask =
  /** Callers that publish one event after the other, each when the last one is acknowledged. */
  | {
      readonly kind: 'publish-each';
      readonly callers: number;
      readonly warmUpSeconds: number;
      readonly seconds: number;
    }
  /** So many events as fast as they go, until all are acknowledged. */
  | { readonly kind: 'publish-all'; readonly warmUp: number; readonly count: number }
  /** What lies in the topic, from the beginning; the first `warmUp` are not measured. */
  | {
      readonly kind: 'consume';
      readonly groupId: string;
      readonly warmUp: number;
      readonly count: number;
    }
  /** Events at a fixed rate, with their moment of publishing from the end of the warm-up on. */
  | {
      readonly kind: 'pace';
      readonly perSecond: number;
      readonly warmUpSeconds: number;
      readonly seconds: number;
    }
  /** So many events that have their moment of publishing. */
  | { readonly kind: 'receive'; readonly groupId: string; readonly count: number }
  /** Nothing, with a publisher and a consumer connected. */
  | {
      readonly kind: 'idle';
      readonly groupId: string;
      readonly settleSeconds: number;
      readonly seconds: number;
    };

/** What a process did from the end of its warm-up on. */
export interface TaskResult {
  readonly events: number;
  readonly seconds: number;
  /** Used by the process. */
  readonly cpuSeconds: number;
  /** From publishing to the callback, of `receive`. */
  readonly latenciesMs: readonly number[];
}

export type TaskReport =
  /** The warm-up is over; of `receive`: the consumer is connected. */
  { readonly type: 'begun' } | { readonly type: 'done'; readonly result: TaskResult };

/** The arguments of a contender's process, as JSON. */
export interface TaskArguments {
  readonly contender: string;
  readonly place: StreamPlace;
  readonly task: StreamTask;
}

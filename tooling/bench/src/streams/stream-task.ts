/** Tasks of a contender's process, and its messages to the parent over IPC. */

/** Target of events: a topic on Kafka or on the postgres stream. */
export interface StreamTarget {
  /** Name of an existing topic. */
  readonly topic: string;
  readonly brokers: readonly string[];
  /** URL of the postgres stream; empty for Kafka. */
  readonly databaseUrl: string;
}

/** One task. */
export type StreamTask =
  /** Callers that publish one event after another, each after the acknowledgement of the last one. */
  | {
      readonly kind: 'publish-each';
      readonly callers: number;
      readonly warmUpSeconds: number;
      readonly seconds: number;
    }
  /** Publishes `count` events as fast as possible, until all are acknowledged. */
  | { readonly kind: 'publish-all'; readonly warmUp: number; readonly count: number }
  /** Consumes the topic from its beginning; the first `warmUp` events are not measured. */
  | {
      readonly kind: 'consume';
      readonly groupId: string;
      readonly warmUp: number;
      readonly count: number;
    }
  /** Publishes at a fixed rate. After the warm-up the events contain the moment of publishing. */
  | {
      readonly kind: 'pace';
      readonly perSecond: number;
      readonly warmUpSeconds: number;
      readonly seconds: number;
    }
  /** Receives `count` events that contain the moment of publishing. */
  | { readonly kind: 'receive'; readonly groupId: string; readonly count: number }
  /** Does nothing, with a publisher and a consumer connected. */
  | {
      readonly kind: 'idle';
      readonly groupId: string;
      readonly settleSeconds: number;
      readonly seconds: number;
    };

/** Result of a task, from the end of its warm-up on. */
export interface TaskResult {
  readonly events: number;
  readonly seconds: number;
  /** CPU seconds of the process. */
  readonly cpuSeconds: number;
  /** Times from publishing to the callback, of `receive`. */
  readonly latenciesMs: readonly number[];
}

/** Message of a process to its parent. `begun`: the warm-up is over, or for `receive` the consumer is connected. */
export type TaskReport =
  | { readonly type: 'begun' }
  | { readonly type: 'done'; readonly result: TaskResult };

/** Arguments of a contender's process, as JSON. */
export interface TaskArguments {
  readonly contender: string;
  readonly target: StreamTarget;
  readonly task: StreamTask;
}

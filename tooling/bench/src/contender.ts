/** What takes part in a benchmark: a peer's queue doing the POST, or our own service. */

/** What lies in the store before a measurement starts. Every body is `callbackBody`, as JSON. */
export type Seed =
  /** `count` callbacks to `url`, due now, in no order. */
  | { readonly kind: 'ready'; readonly count: number; readonly url: string }
  /**
   * `count` callbacks, due now, dealt in turn to `queues` ordered queues; number n of a queue
   * (from 0) goes to `<url>ordered/<queue>/<n>`.
   */
  | {
      readonly kind: 'ordered';
      readonly count: number;
      readonly queues: number;
      readonly url: string;
    }
  /**
   * `queues` ordered queues whose heads have failed at `url` and are due again in an hour or
   * later, with `count` callbacks waiting behind them in all.
   */
  | {
      readonly kind: 'blocked';
      readonly count: number;
      readonly queues: number;
      readonly url: string;
    }
  /** `count` delivered callbacks, each with its attempt, as the service itself leaves them. */
  | { readonly kind: 'finished'; readonly count: number; readonly url: string };

/** A process that serves a contender: its worker or its gateway. */
export interface ServiceProcess {
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /** Ends it and waits until it has ended. */
  stop(): Promise<void>;
}

/** A delivered rate can be measured of every contender. */
export interface Contender {
  readonly name: string;
  readonly store: 'postgres' | 'redis';
  /** Settings that matter for its speed, for the report. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Makes its tables in an empty store. */
  prepare(storeUrl: string): Promise<void>;
  /** @throws Error for a kind of seed that it cannot have. */
  seed(storeUrl: string, seed: Seed): Promise<void>;
  /** Starts one worker process that keeps up to 128 requests in flight. */
  startWorker(storeUrl: string): Promise<ServiceProcess>;
}

/** A gateway that takes callbacks over HTTP. */
export interface Gateway extends ServiceProcess {
  /** Where a callback of the compatible API is posted. */
  readonly callbackUrl: string;
}

/** Our own service: it can do all that is measured. */
export interface CallbackService extends Contender {
  /** As for every contender; with `settings`, environment variables, on top of its own. */
  startWorker(
    storeUrl: string,
    settings?: Readonly<Record<string, string>>,
  ): Promise<ServiceProcess>;
  /** Starts one gateway process with its default limits, but no rate limit. */
  startGateway(storeUrl: string): Promise<Gateway>;
}

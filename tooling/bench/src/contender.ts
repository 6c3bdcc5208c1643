/** The participants of the callbacks benchmark: queues of peers that do the POST, and our service. */

/** Content of the store before a measurement starts. Every body is `callbackBody`, as JSON. */
export type Seed =
  /** `count` callbacks to `url`, due now, without order. */
  | { readonly kind: 'ready'; readonly count: number; readonly url: string }
  /**
   * `count` callbacks, due now, distributed evenly over `queues` ordered queues. Number n of a queue,
   * counted from 0, goes to `<url>ordered/<queue>/<n>`.
   */
  | {
      readonly kind: 'ordered';
      readonly count: number;
      readonly queues: number;
      readonly url: string;
    }
  /**
   * `queues` ordered queues whose heads have failed at `url` and are due again in an hour or later.
   * `count` callbacks in all wait behind them.
   */
  | {
      readonly kind: 'blocked';
      readonly count: number;
      readonly queues: number;
      readonly url: string;
    }
  /** `count` delivered callbacks, each with its attempt, as the service itself stores them. */
  | { readonly kind: 'finished'; readonly count: number; readonly url: string };

/** A process of a contender: its worker or its gateway. */
export interface ServiceProcess {
  readonly pid: number;
  /** Resolves when it has ended, for any reason. */
  readonly exited: Promise<void>;
  /** Stops it, and resolves when it has ended. */
  stop(): Promise<void>;
}

/** A participant whose rate of deliveries can be measured. */
export interface Contender {
  readonly name: string;
  readonly store: 'postgres' | 'redis';
  /** Settings that affect its speed, for the report. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Creates its tables in an empty store. */
  prepare(storeUrl: string): Promise<void>;
  /**
   * Fills the store.
   * @throws Error for a kind of seed that it does not support
   */
  seed(storeUrl: string, seed: Seed): Promise<void>;
  /** Starts one worker process that keeps up to 128 requests in flight. */
  startWorker(storeUrl: string): Promise<ServiceProcess>;
}

/** A gateway that accepts callbacks over HTTP. */
export interface Gateway extends ServiceProcess {
  /** URL that callbacks of the compatible API are posted to. */
  readonly callbackUrl: string;
  /** Headers that a post needs, such as its API key. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Our service: it supports everything that is measured. */
export interface CallbackService extends Contender {
  /**
   * Starts a worker as every contender does.
   * @param settings environment variables in addition to its own
   */
  startWorker(
    storeUrl: string,
    settings?: Readonly<Record<string, string>>,
  ): Promise<ServiceProcess>;
  /**
   * Starts one gateway process with its default limits, but without a rate limit.
   * @param access `key`: callers need an API key of the application, which has every limit
   */
  startGateway(storeUrl: string, access?: 'loopback' | 'key'): Promise<Gateway>;
}

/** A broker that this process runs, in Docker or on Java. */
export interface KafkaNode {
  readonly isRunning: () => boolean;
  /** Returns its process id; undefined in a container, and while it is down. */
  readonly pid: () => number | undefined;
  readonly launch: () => Promise<void>;
  readonly waitUntilReady: (isReady: () => Promise<boolean>, timeoutMs: number) => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly log: () => Promise<string>;
  readonly close: () => Promise<void>;
}

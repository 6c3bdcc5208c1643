/** A broker that this process runs, by whatever means. */
export interface KafkaNode {
  readonly isRunning: () => boolean;
  /** Its process on this machine; undefined in a container, and while it is down. */
  readonly pid: () => number | undefined;
  readonly launch: () => Promise<void>;
  readonly waitUntilReady: (isReady: () => Promise<boolean>, timeoutMs: number) => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly log: () => Promise<string>;
  readonly close: () => Promise<void>;
}

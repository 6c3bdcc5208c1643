/** A broker that this process runs, by whatever means. */
export interface KafkaNode {
  readonly isRunning: () => boolean;
  readonly launch: () => Promise<void>;
  readonly waitUntilReady: (isReady: () => Promise<boolean>, timeoutMs: number) => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly log: () => Promise<string>;
  readonly close: () => Promise<void>;
}

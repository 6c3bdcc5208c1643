import type { ChannelPath } from '@posthaste/contracts';

/** Event that goes to subscribers. */
export interface ChannelEvent {
  readonly id: string;
  /** JSON text. */
  readonly event: string;
}

/** Events that were published to one channel at once. */
export interface ChannelBatch {
  readonly realm: string;
  readonly channel: ChannelPath;
  readonly events: readonly ChannelEvent[];
}

/** Batch with its place in the order of all batches. */
export interface DeliveredBatch extends ChannelBatch {
  /**
   * Position of the first event; each further event of the batch has the next one. Grows from batch
   * to batch, with gaps. Undefined for a batch that was not stored.
   */
  readonly position?: bigint | undefined;
}

/** Events of a channel from the past, or undefined if not all of them can be had. */
export type MissedEvents = readonly DeliveredBatch[] | undefined;

/** Question for what a subscriber has missed. */
export interface MissedRequest {
  readonly realm: string;
  /** A channel, or all channels below one. */
  readonly channel: ChannelPath;
  /** Position of the last event that the subscriber has got, below `before`. */
  readonly after: bigint;
  /** Position from which on the subscriber gets live events. */
  readonly before: bigint;
  /** Most events. With more, the answer is undefined. */
  readonly maxEvents: number;
}

/**
 * Connects the nodes of a server, and stores the events of durable namespaces. The one that a server
 * has by default is in memory, for one node.
 */
export interface Broker {
  /**
   * Names the order that positions belong to: positions of another epoch mean nothing.
   * @throws PlatformError before `start` has resolved, if it is not known yet
   */
  readonly epoch: string;
  /**
   * Begins. `deliver` gets every batch once, those of this node too: stored ones in the order of
   * their positions, and only after the `append` of their publisher has resolved.
   */
  start(deliver: (batch: DeliveredBatch) => void): Promise<void>;
  /** Position after the last event that was delivered. */
  readonly position: bigint;
  /**
   * Stores a batch. Resolves when it survives a crash. Is called again before that: batches of one
   * channel are stored in the order of the calls. @throws PlatformError `DATABASE_*`, …
   */
  append(batch: ChannelBatch): Promise<void>;
  /** Sends a batch to the other nodes, as well as it can. The server has delivered it on this one. */
  broadcast(batch: ChannelBatch): void;
  /**
   * Resolves with true as soon as the event at this position was delivered. Resolves with false if
   * there is no such event yet, or this node does not get to it in time.
   * @throws PlatformError `DATABASE_*`
   */
  reach(position: bigint): Promise<boolean>;
  /** Finds what a subscriber has missed. @throws PlatformError `DATABASE_*` */
  findMissed(request: MissedRequest): Promise<MissedEvents>;
  close(): Promise<void>;
}

import type { BenchEvent, OrderPayload } from './bench-event.js';
import type { StreamTarget } from './stream-task.js';

/** Callback of a consumer: it counts events, or reads their payloads. */
export type EventListener =
  | { readonly kind: 'count'; readonly onEvents: (count: number) => void }
  | { readonly kind: 'payload'; readonly onPayload: (payload: OrderPayload) => void };

/** Options of a consumer. */
export interface ConsumerRequest {
  readonly target: StreamTarget;
  /** Name of a new group, which reads the topic from its beginning. */
  readonly groupId: string;
  readonly listener: EventListener;
}

/** A publisher of a contender. */
export interface StreamPublisher {
  /** Resolves when all in-sync brokers have acknowledged the event. */
  publish(event: BenchEvent): Promise<unknown>;
  /** Resolves when all events are acknowledged. Nothing is published after it. */
  publishAll(event: BenchEvent, count: number): Promise<void>;
  close(): Promise<void>;
}

/** A consumer of a contender. */
export interface StreamConsumer {
  /** Commits the consumed events, and leaves the group. */
  close(): Promise<void>;
}

/** A client library, used as documented, in a process that does nothing else. */
export interface StreamContender {
  readonly name: string;
  /** Settings that affect its speed, for the report. */
  readonly settings: Readonly<Record<string, string | number>>;
  openPublisher(target: StreamTarget): Promise<StreamPublisher>;
  /** Resolves when the consumer has begun to connect, or later. */
  openConsumer(request: ConsumerRequest): Promise<StreamConsumer>;
}

/** Sends batches until `count` events are sent, `batchesInFlight` at a time. */
export async function sendBatches(
  count: number,
  { batchSize, batchesInFlight }: { readonly batchSize: number; readonly batchesInFlight: number },
  send: (size: number) => Promise<unknown>,
): Promise<void> {
  let left = count;
  const sendNext = async (): Promise<void> => {
    while (left > 0) {
      const size = Math.min(batchSize, left);
      left -= size;
      await send(size);
    }
  };
  await Promise.all(Array.from({ length: batchesInFlight }, sendNext));
}

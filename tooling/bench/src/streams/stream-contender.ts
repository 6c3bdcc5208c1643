import type { BenchEvent, OrderPayload } from './bench-event.js';
import type { StreamPlace } from './stream-task.js';

/** What a consumer does with what it reads: count it, or look into it. */
export type EventListener =
  | { readonly kind: 'count'; readonly onEvents: (count: number) => void }
  | { readonly kind: 'payload'; readonly onPayload: (payload: OrderPayload) => void };

export interface ConsumerRequest {
  readonly place: StreamPlace;
  /** New: the topic is read from its beginning. */
  readonly groupId: string;
  readonly listener: EventListener;
}

export interface StreamPublisher {
  /** Resolves when the event is acknowledged by all in-sync brokers. */
  publish(event: BenchEvent): Promise<unknown>;
  /** Resolves when all are acknowledged. Nothing is published after it. */
  publishAll(event: BenchEvent, count: number): Promise<void>;
  close(): Promise<void>;
}

export interface StreamConsumer {
  /** Commits what was read, and leaves. */
  close(): Promise<void>;
}

/** A client library, used as its documentation says, in a process that does nothing else. */
export interface StreamContender {
  readonly name: string;
  /** Settings that matter for its speed, for the report. */
  readonly settings: Readonly<Record<string, string | number>>;
  openPublisher(place: StreamPlace): Promise<StreamPublisher>;
  /** Resolves when it has begun to connect, or later. */
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

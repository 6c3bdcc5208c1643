import type { Broker } from 'kafkajs';
import type { SendState } from './ordered-appends.js';
import { type PartitionBatch, type ProduceSettings, produce } from './produce-request.js';

/**
 * Most bytes of batches in a request. Brokers refuse one over 100 MiB, and answer it as a whole.
 */
const maxRequestBytes = 4 * 1024 * 1024;

interface QueuedBatch extends PartitionBatch {
  readonly state: SendState;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A queue that puts batches that become ready in the same tick into one request per broker: a
 * request costs client and broker more than the records in it, and partitions that linger together
 * become ready together.
 */
export class ProduceQueue {
  readonly #settings: ProduceSettings;
  readonly #queued = new Map<Broker, QueuedBatch[]>();

  constructor(settings: ProduceSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves when the leader has acknowledged the batch. Sets `state.sent` at the moment of
   * sending, before which a connection may have to be opened; a batch that has expired by then is
   * left out.
   * @throws Error of kafkajs
   */
  send(leader: Broker, batch: PartitionBatch, state: SendState): Promise<void> {
    return new Promise((resolve, reject) => {
      const queued = { ...batch, state, resolve, reject };
      const others = this.#queued.get(leader);
      if (others) {
        others.push(queued);
        return;
      }
      this.#queued.set(leader, [queued]);
      // After everything else that is ready in this tick has been queued.
      process.nextTick(() => this.#flush(leader));
    });
  }

  #flush(leader: Broker): void {
    const queued = this.#queued.get(leader) ?? [];
    this.#queued.delete(leader);
    for (let from = 0; from < queued.length; ) {
      const to = endOfRequest(queued, from);
      void this.#produce(leader, queued.slice(from, to));
      from = to;
    }
  }

  async #produce(leader: Broker, batches: readonly QueuedBatch[]): Promise<void> {
    try {
      const errorOf = await produce(leader, () => markAsSent(batches), this.#settings);
      for (const batch of batches) {
        const error = errorOf(batch);
        if (error === undefined) batch.resolve();
        else batch.reject(error);
      }
    } catch (error) {
      for (const { reject } of batches) reject(error);
    }
  }
}

/** Returns the batches whose callers still wait, and marks them as sent. */
function markAsSent(batches: readonly QueuedBatch[]): readonly QueuedBatch[] {
  const wanted = batches.filter(({ state }) => !state.expired);
  if (wanted.length === 0) throw new Error('every batch of the request has expired');
  for (const { state } of wanted) state.sent = true;
  return wanted;
}

/** Returns the index behind the last batch of the request that begins at `from`. */
function endOfRequest(batches: readonly QueuedBatch[], from: number): number {
  let bytes = 0;
  for (let index = from; index < batches.length; index += 1) {
    bytes += batches[index]?.batch.length ?? 0;
    if (bytes > maxRequestBytes && index > from) return index;
  }
  return batches.length;
}

import type { Broker } from 'kafkajs';
import type { SendState } from './ordered-appends.js';
import { type PartitionBatch, type ProduceSettings, produce } from './produce-request.js';

/** More goes in another request: brokers refuse those over 100 MiB, and answer each as a whole. */
const maxRequestBytes = 4 * 1024 * 1024;

interface QueuedBatch extends PartitionBatch {
  readonly attempt: SendState;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Puts batches that are due in the same moment into one request per broker: requests cost client
 * and broker more than the records in them, and lanes that linger together are due together.
 */
export class ProduceQueue {
  readonly #settings: ProduceSettings;
  readonly #waiting = new Map<Broker, QueuedBatch[]>();

  constructor(settings: ProduceSettings) {
    this.#settings = settings;
  }

  /**
   * Resolves when the leader has acknowledged the batch. Marks the attempt as sent in the moment that
   * it is, which a connection may have to be opened for; one that has expired by then is left out.
   * @throws Error of kafkajs
   */
  send(leader: Broker, batch: PartitionBatch, attempt: SendState): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { ...batch, attempt, resolve, reject };
      const others = this.#waiting.get(leader);
      if (others) {
        others.push(waiting);
        return;
      }
      this.#waiting.set(leader, [waiting]);
      // When all that can go on now has done so.
      process.nextTick(() => this.#flush(leader));
    });
  }

  #flush(leader: Broker): void {
    const waiting = this.#waiting.get(leader) ?? [];
    this.#waiting.delete(leader);
    for (let from = 0; from < waiting.length; ) {
      const to = endOfRequest(waiting, from);
      void this.#produce(leader, waiting.slice(from, to));
      from = to;
    }
  }

  async #produce(leader: Broker, batches: readonly QueuedBatch[]): Promise<void> {
    try {
      const outcomeOf = await produce(leader, () => claim(batches), this.#settings);
      for (const batch of batches) {
        const error = outcomeOf(batch);
        if (error === undefined) batch.resolve();
        else batch.reject(error);
      }
    } catch (error) {
      for (const { reject } of batches) reject(error);
    }
  }
}

/** Those that somebody still waits for, which are as good as sent. */
function claim(batches: readonly QueuedBatch[]): readonly QueuedBatch[] {
  const wanted = batches.filter(({ attempt }) => !attempt.expired);
  if (wanted.length === 0) throw new Error('nobody waits for these batches any more');
  for (const { attempt } of wanted) attempt.sent = true;
  return wanted;
}

/** Index behind the last batch of the request that begins at `from`, which has one at least. */
function endOfRequest(batches: readonly QueuedBatch[], from: number): number {
  let bytes = 0;
  for (let index = from; index < batches.length; index += 1) {
    bytes += batches[index]?.batch.length ?? 0;
    if (bytes > maxRequestBytes && index > from) return index;
  }
  return batches.length;
}

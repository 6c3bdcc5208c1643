import { randomUUID } from 'node:crypto';
import type {
  Broker,
  ChannelBatch,
  DeliveredBatch,
  MissedEvents,
  MissedRequest,
} from './broker.js';
import { ChannelHistory } from './channel-history.js';

/** Broker of one node. It keeps the newest events in memory, for subscribers that come back. */
export class MemoryBroker implements Broker {
  readonly epoch: string = randomUUID();
  #position = 1n;
  #deliver: ((batch: DeliveredBatch) => void) | undefined;
  readonly #stored: ChannelBatch[] = [];
  readonly #history = new ChannelHistory(this.#position);

  async start(deliver: (batch: DeliveredBatch) => void): Promise<void> {
    this.#deliver = deliver;
  }

  get position(): bigint {
    return this.#position;
  }

  /** Resolves in this turn. The batch is delivered right after the continuations of the call. */
  append(batch: ChannelBatch): Promise<void> {
    if (this.#stored.push(batch) === 1) setImmediate(deliverStored, this);
    return Promise.resolve();
  }

  broadcast(_batch: ChannelBatch): void {}

  async reach(position: bigint): Promise<boolean> {
    return position < this.#position;
  }

  async findMissed(request: MissedRequest): Promise<MissedEvents> {
    return this.#history.covers(request) ? this.#history.find(request) : undefined;
  }

  async close(): Promise<void> {
    this.deliverStored();
    this.#deliver = undefined;
  }

  deliverStored(): void {
    for (const batch of this.#stored.splice(0)) {
      const delivered = { ...batch, position: this.#position };
      this.#position += BigInt(batch.events.length);
      this.#history.add(delivered);
      this.#deliver?.(delivered);
    }
  }
}

function deliverStored(broker: MemoryBroker): void {
  broker.deliverStored();
}

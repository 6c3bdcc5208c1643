import { randomUUID } from 'node:crypto';
import type { Broker, ChannelBatch, DeliveredBatch, MissedEvents } from './broker.js';

/** Broker of one node. It stores nothing: what a subscriber has missed cannot be had from it. */
export class MemoryBroker implements Broker {
  readonly epoch: string = randomUUID();
  #position = 0n;
  #deliver: ((batch: DeliveredBatch) => void) | undefined;
  readonly #stored: DeliveredBatch[] = [];

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

  async findMissed(): Promise<MissedEvents> {
    return undefined;
  }

  async close(): Promise<void> {
    this.deliverStored();
    this.#deliver = undefined;
  }

  deliverStored(): void {
    for (const batch of this.#stored.splice(0)) {
      const position = this.#position;
      this.#position += BigInt(batch.events.length);
      this.#deliver?.({ ...batch, position });
    }
  }
}

function deliverStored(broker: MemoryBroker): void {
  broker.deliverStored();
}

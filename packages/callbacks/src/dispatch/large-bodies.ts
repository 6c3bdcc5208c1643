import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Delivery } from '../delivery/delivery.js';
import { parseFairnessKey } from '../delivery/fairness-key.js';
import { ByteBudget } from './byte-budget.js';

/** Body in memory, until it is released. */
export interface LoadedBody {
  readonly body: Buffer;
  release(): void;
}

/** Source of bodies that are not read with their delivery. */
export interface BodySource {
  /**
   * Reads the body of a delivery; `undefined` when there was no memory for it within `waitMs`.
   * @throws PlatformError `DATABASE_*`
   */
  load(delivery: Delivery, bytes: number, waitMs: number): Promise<LoadedBody | undefined>;
}

const bodyStatement: Statement = {
  name: 'callbacks_body',
  text: 'select body from callbacks.request where id = $1',
};

/**
 * Reads large bodies right before they are sent, as many at once as a byte budget allows: hundreds
 * of them in flight to hosts that do not answer would otherwise be hundreds of megabytes. One host
 * can use a part of the budget only.
 */
export class LargeBodies implements BodySource {
  readonly #db: Queryable;
  readonly #budget: ByteBudget;

  constructor(db: Queryable, maxBytes: number) {
    this.#db = db;
    this.#budget = new ByteBudget(maxBytes);
  }

  async load(
    { callbackId, fairnessKey }: Delivery,
    bytes: number,
    waitMs: number,
  ): Promise<LoadedBody | undefined> {
    const { origin } = parseFairnessKey(fairnessKey);
    if (!(await this.#budget.acquire(origin, bytes, waitMs))) return undefined;
    const release = (): void => this.#budget.release(origin, bytes);
    try {
      return { body: await this.#read(callbackId), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #read(callbackId: string): Promise<Buffer> {
    const { rows } = await this.#db.query<{ body: Buffer }>(bodyStatement, [callbackId]);
    const [row] = rows;
    if (row) return row.body;
    throw new PlatformError('INTERNAL', `callback ${callbackId} is leased but has no request row`);
  }
}

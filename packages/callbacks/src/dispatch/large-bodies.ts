import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Delivery } from '../delivery/delivery.js';
import { parseFairnessKey } from '../delivery/fairness-key.js';
import { ByteBudget } from './byte-budget.js';

/** A body in memory, until it is let go. */
export interface HeldBody {
  readonly body: Buffer;
  release(): void;
}

/** Where bodies come from that do not come with their delivery. */
export interface BodySource {
  /**
   * The body of a delivery; `undefined` when there was no room for it within `waitMs`.
   * @throws PlatformError `DATABASE_*`
   */
  hold(delivery: Delivery, bytes: number, waitMs: number): Promise<HeldBody | undefined>;
}

const bodyStatement: Statement = {
  name: 'callbacks_body',
  text: 'select body from callbacks.request where id = $1',
};

/**
 * Reads large bodies right before they are sent, as many at once as there is room for: hundreds of
 * them under way at hosts that do not answer would else be hundreds of megabytes. One host can
 * take a part of the room only.
 */
export class LargeBodies implements BodySource {
  readonly #db: Queryable;
  readonly #room: ByteBudget;

  constructor(db: Queryable, maxBytes: number) {
    this.#db = db;
    this.#room = new ByteBudget(maxBytes);
  }

  async hold(
    { callbackId, fairnessKey }: Delivery,
    bytes: number,
    waitMs: number,
  ): Promise<HeldBody | undefined> {
    const { origin } = parseFairnessKey(fairnessKey);
    if (!(await this.#room.acquire(origin, bytes, waitMs))) return undefined;
    const release = (): void => this.#room.release(origin, bytes);
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
    throw new PlatformError('INTERNAL', `the request of callback ${callbackId} is gone`);
  }
}

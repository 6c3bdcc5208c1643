import { randomUUID } from 'node:crypto';
import type { RealmChannelCount } from '@posthaste/appsync-server';
import {
  removeChannelNode,
  removeDeadChannelNodes,
  renewChannelNode,
  reportChannels,
} from '@posthaste/appsync-server/postgres';
import type { Database } from '@posthaste/postgres';

/** Options of {@link ChannelReporter}. */
export interface ChannelReporterOptions {
  /** Lists the subscribers of this node. */
  readonly listChannels: () => readonly RealmChannelCount[];
  /** Called with each error. The next report is complete again. */
  readonly onError: (error: unknown) => void;
  /** Time between two reports, in ms. Default 2,000. */
  readonly intervalMs?: number | undefined;
}

/** Time after which the report of a node that does not renew it is not counted, in ms. */
const leaseMs = 15_000;
/** Channels of one transaction. */
const maxBatch = 5_000;

/**
 * Reports the subscribers of this node's channels to the database, so that all gateways can list
 * them. Only what has changed is written, and nothing while there are no subscribers.
 */
export class ChannelReporter {
  readonly #db: Pick<Database, 'query' | 'transaction'>;
  readonly #options: ChannelReporterOptions;
  readonly #node = randomUUID();
  /** Counts in the database, by realm and channel. */
  #reported = new Map<string, RealmChannelCount>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(db: Pick<Database, 'query' | 'transaction'>, options: ChannelReporterOptions) {
    this.#db = db;
    this.#options = options;
  }

  start(): void {
    this.#schedule();
  }

  /** Stops, and takes the report back if the database answers. Idempotent. Does not reject. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    if (this.#reported.size === 0) return;
    await removeChannelNode(this.#db, this.#node).catch(this.#options.onError);
  }

  #schedule(): void {
    const { intervalMs = 2_000 } = this.#options;
    this.#timer = setTimeout(() => {
      this.#running = this.#report()
        .catch(this.#options.onError)
        .finally(() => {
          if (!this.#isClosed) this.#schedule();
        });
    }, intervalMs).unref();
  }

  async #report(): Promise<void> {
    const current = new Map(
      this.#options.listChannels().map((each) => [`${each.realm}\n${each.channel}`, each]),
    );
    if (current.size === 0 && this.#reported.size === 0) return;
    if (await renewChannelNode(this.#db, this.#node, { leaseMs })) this.#reported = new Map();
    await removeDeadChannelNodes(this.#db);
    const changes = this.#changesTo(current);
    for (let start = 0; start < changes.length; start += maxBatch) {
      const batch = changes.slice(start, start + maxBatch);
      await this.#db.transaction((tx) => reportChannels(tx, this.#node, batch));
      for (const each of batch) this.#note(each);
    }
  }

  #changesTo(current: ReadonlyMap<string, RealmChannelCount>): RealmChannelCount[] {
    const changed = [...current].filter(
      ([key, { subscribers }]) => this.#reported.get(key)?.subscribers !== subscribers,
    );
    const gone = [...this.#reported].filter(([key]) => !current.has(key));
    return [
      ...changed.map(([, each]) => each),
      ...gone.map(([, each]) => ({ ...each, subscribers: 0 })),
    ];
  }

  #note(each: RealmChannelCount): void {
    const key = `${each.realm}\n${each.channel}`;
    if (each.subscribers === 0) this.#reported.delete(key);
    else this.#reported.set(key, each);
  }
}

import type { Database, Listener } from '@posthaste/postgres';
import { appendChannel } from './log-functions.js';

/**
 * Tells readers that something was appended to their topic: a hint that may be missing, because the
 * connection was away or the appender did not give one. Listens while somebody watches.
 */
export class LogWakeups {
  readonly #db: Database;
  readonly #watchers = new Map<string, Set<() => void>>();
  #listener: Promise<Listener | undefined> | undefined;
  #hinted = new Set<string>();
  #hinting: Promise<void> | undefined;
  #closed = false;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Calls `wake` after appends to the topic, until the function it gives is called. */
  watch(topic: string, wake: () => void): () => void {
    const watchers = this.#watchers.get(topic) ?? new Set();
    this.#watchers.set(topic, watchers);
    watchers.add(wake);
    this.#listener ??= this.#listen();
    return () => {
      watchers.delete(wake);
      if (watchers.size === 0 && this.#watchers.get(topic) === watchers) {
        this.#watchers.delete(topic);
      }
    };
  }

  /** Tells the readers of all processes, soon: hints of one moment travel together. Never rejects. */
  hint(topic: string): void {
    this.#hinted.add(topic);
    this.#hinting ??= this.#sendHints();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#hinting;
    await (await this.#listener)?.close();
  }

  /** A database that is away is asked again by the next who watches; meanwhile readers poll. */
  async #listen(): Promise<Listener | undefined> {
    try {
      return await this.#db.listen(
        appendChannel,
        (topic) => this.#wake(topic),
        () => this.#wakeAll(),
      );
    } catch {
      this.#listener = undefined;
      return undefined;
    }
  }

  async #sendHints(): Promise<void> {
    while (this.#hinted.size > 0 && !this.#closed) {
      const topics = [...this.#hinted];
      this.#hinted = new Set();
      const statement = {
        name: 'eventstream_hint',
        text: 'select pg_notify($1, topic) from unnest($2::text[]) as topic',
      };
      // Readers that miss it find the records with their next poll.
      await this.#db.query(statement, [appendChannel, topics]).catch(() => undefined);
    }
    this.#hinting = undefined;
  }

  #wake(topic: string): void {
    for (const wake of this.#watchers.get(topic) ?? []) wake();
  }

  #wakeAll(): void {
    for (const topic of this.#watchers.keys()) this.#wake(topic);
  }
}

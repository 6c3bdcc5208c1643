import type { Database, Listener } from '@posthaste/postgres';

/** Channel of appends. Subjects are topics. */
export const appendChannel = 'eventstream';
/**
 * Channel of groups: members that came or went, or shards that were released. Subjects are group
 * ids.
 */
export const groupChannel = 'eventstream_group';

/** Shortest time between two notifications of a process, in ms. */
const minHintMs = 5;
/** Wait before listening is tried again after a failure, in ms. */
const listenAgainMs = 2_000;

/**
 * Hints about subjects on one channel, by NOTIFY and LISTEN, to the watchers of all processes. A
 * hint may be lost, because the connection was down or the hint was never sent, so watchers must
 * poll as well. Listening begins with the first watcher.
 */
export class NotifyChannel {
  readonly #db: Database;
  readonly #channel: string;
  /** By subject. */
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #allWatchers = new Set<(subject: string | undefined) => void>();
  #listener: Promise<Listener | undefined> | undefined;
  #listenTimer: NodeJS.Timeout | undefined;
  #unsent = new Set<string>();
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(db: Database, channel: string) {
    this.#db = db;
    this.#channel = channel;
  }

  /** Calls `onHint` at hints about the subject. Returns the function that ends it. */
  watch(subject: string, onHint: () => void): () => void {
    const watchers = this.#watchers.get(subject) ?? new Set();
    this.#watchers.set(subject, watchers);
    watchers.add(onHint);
    this.#listener ??= this.#listen();
    return () => {
      watchers.delete(onHint);
      if (watchers.size === 0 && this.#watchers.get(subject) === watchers) {
        this.#watchers.delete(subject);
      }
    };
  }

  /**
   * Calls `onHint` with the subject of every hint, and without one when hints may have been lost.
   */
  watchAll(onHint: (subject: string | undefined) => void): () => void {
    this.#allWatchers.add(onHint);
    this.#listener ??= this.#listen();
    return () => this.#allWatchers.delete(onHint);
  }

  /** Notifies the watchers of all processes soon. Hints of one moment are sent together. */
  hint(subject: string): void {
    this.#unsent.add(subject);
    this.#sending ??= this.#sendHints();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#listenTimer);
    await this.#sending;
    await (await this.#listener)?.close();
  }

  async #listen(): Promise<Listener | undefined> {
    try {
      const onHint = (subject: string): void => this.#notify(subject);
      return await this.#db.listen(this.#channel, onHint, () => this.#notifyAll());
    } catch {
      // Other users of the database report that it cannot be reached. Hints only save time.
      this.#listenTimer = setTimeout(() => this.#listenAgain(), listenAgainMs);
      this.#listenTimer.unref();
      return undefined;
    }
  }

  #listenAgain(): void {
    if (this.#closed) return;
    this.#listener = this.#listen();
    // Hints of the meantime are lost.
    void this.#listener.then((listener) => listener && this.#notifyAll());
  }

  async #sendHints(): Promise<void> {
    while (this.#unsent.size > 0 && !this.#closed) {
      const subjects = [...this.#unsent];
      this.#unsent = new Set();
      const statement = {
        name: 'eventstream_hint',
        text: 'select pg_notify($1, subject) from unnest($2::text[]) as subject',
      };
      // Watchers that miss a hint find out later, by polling.
      await this.#db.query(statement, [this.#channel, subjects]).catch(() => undefined);
      // Other transactions that notify have to wait for each of these.
      await new Promise((resolve) => setTimeout(resolve, minHintMs));
    }
    this.#sending = undefined;
  }

  #notify(subject: string): void {
    for (const onHint of this.#watchers.get(subject) ?? []) onHint();
    for (const onHint of this.#allWatchers) onHint(subject);
  }

  #notifyAll(): void {
    for (const watchers of this.#watchers.values()) for (const onHint of watchers) onHint();
    for (const onHint of this.#allWatchers) onHint(undefined);
  }
}

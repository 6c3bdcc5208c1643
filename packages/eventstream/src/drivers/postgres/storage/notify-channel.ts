import type { Database, Listener } from '@posthaste/postgres';

/** Appends, by topic. */
export const appendChannel = 'eventstream';
/** Members that came or went, or gave something back, by the group's id. */
export const groupChannel = 'eventstream_group';

/** Between two hints, however many there are to give, in milliseconds. */
const minHintMs = 5;
/** Until a database that could not be listened to is asked again, in milliseconds. */
const listenAgainMs = 2_000;

/**
 * Hints on one channel about subjects, told to those who watch the subject, in whatever process. A
 * hint may be missing, because the connection was away or nobody gave one. Listens from the first
 * watcher on.
 */
export class NotifyChannel {
  readonly #db: Database;
  readonly #channel: string;
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #allWatchers = new Set<(subject: string | undefined) => void>();
  #listener: Promise<Listener | undefined> | undefined;
  #again: NodeJS.Timeout | undefined;
  #hinted = new Set<string>();
  #hinting: Promise<void> | undefined;
  #closed = false;

  constructor(db: Database, channel: string) {
    this.#db = db;
    this.#channel = channel;
  }

  /** Calls `wake` at hints about the subject, until the function it gives is called. */
  watch(subject: string, wake: () => void): () => void {
    const watchers = this.#watchers.get(subject) ?? new Set();
    this.#watchers.set(subject, watchers);
    watchers.add(wake);
    this.#listener ??= this.#listen();
    return () => {
      watchers.delete(wake);
      if (watchers.size === 0 && this.#watchers.get(subject) === watchers) {
        this.#watchers.delete(subject);
      }
    };
  }

  /** Calls `wake` at every hint, with its subject; also when hints may have been missed, without. */
  watchAll(wake: (subject: string | undefined) => void): () => void {
    this.#allWatchers.add(wake);
    this.#listener ??= this.#listen();
    return () => this.#allWatchers.delete(wake);
  }

  /** Tells the watchers of all processes, soon: hints of one moment travel together. */
  hint(subject: string): void {
    this.#hinted.add(subject);
    this.#hinting ??= this.#sendHints();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    await this.#hinting;
    await (await this.#listener)?.close();
  }

  async #listen(): Promise<Listener | undefined> {
    try {
      const onHint = (subject: string): void => this.#wake(subject);
      return await this.#db.listen(this.#channel, onHint, () => this.#wakeAll());
    } catch {
      // The database is away, as its other users notice and tell; hints only save them time.
      this.#again = setTimeout(() => this.#listenAgain(), listenAgainMs);
      this.#again.unref();
      return undefined;
    }
  }

  #listenAgain(): void {
    if (this.#closed) return;
    this.#listener = this.#listen();
    // What was told meanwhile is not known.
    void this.#listener.then((listener) => listener && this.#wakeAll());
  }

  async #sendHints(): Promise<void> {
    while (this.#hinted.size > 0 && !this.#closed) {
      const subjects = [...this.#hinted];
      this.#hinted = new Set();
      const statement = {
        name: 'eventstream_hint',
        text: 'select pg_notify($1, subject) from unnest($2::text[]) as subject',
      };
      // Those who miss it find out by themselves, later.
      await this.#db.query(statement, [this.#channel, subjects]).catch(() => undefined);
      // Each is a transaction that others which notify have to wait for.
      await new Promise((resolve) => setTimeout(resolve, minHintMs));
    }
    this.#hinting = undefined;
  }

  #wake(subject: string): void {
    for (const wake of this.#watchers.get(subject) ?? []) wake();
    for (const wake of this.#allWatchers) wake(subject);
  }

  #wakeAll(): void {
    for (const watchers of this.#watchers.values()) for (const wake of watchers) wake();
    for (const wake of this.#allWatchers) wake(undefined);
  }
}

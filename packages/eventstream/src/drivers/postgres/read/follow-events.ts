import type { EventPage, EventQuery } from './event-pages.js';

/** Options of `followEvents`. */
export interface FollowOptions {
  /** Aborting it ends the iteration. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest time between two queries for new records, in ms; hints make it shorter. Default 1,000.
   */
  readonly pollMs?: number | undefined;
}

/** A log that can be followed. */
export interface FollowedLog {
  listEvents(query: EventQuery): Promise<EventPage>;
  watch(topic: string, onAppend: () => void): () => void;
}

/** Shortest time between two queries at the end of the log, in ms, however many hints come. */
const minPollMs = 20;

/**
 * Yields page after page. At the end of the log it waits for new records. Pages are never empty.
 */
export async function* followEvents(
  log: FollowedLog,
  query: EventQuery,
  { signal, pollMs = 1_000 }: FollowOptions,
): AsyncGenerator<EventPage, void> {
  const appended = new AutoResetSignal();
  const unwatch = query.topics.map((topic) => log.watch(topic, () => appended.set()));
  const onAbort = (): void => appended.set();
  signal?.addEventListener('abort', onAbort);
  try {
    let { cursor } = query;
    while (!signal?.aborted) {
      const page: EventPage = await log.listEvents({ ...query, cursor });
      cursor = page.next;
      if (page.records.length > 0) yield page;
      if (!page.isLast || signal?.aborted) continue;
      await new Promise((resolve) => setTimeout(resolve, minPollMs));
      await appended.wait(pollMs);
    }
  } finally {
    for (const end of unwatch) end();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Signal that stays set until it is waited for. */
class AutoResetSignal {
  #isSet = false;
  #endSleep: (() => void) | undefined;

  set(): void {
    this.#isSet = true;
    this.#endSleep?.();
  }

  /** Resolves when the signal is set, or after the time. Resets it. */
  async wait(ms: number): Promise<void> {
    if (!this.#isSet) await this.#sleep(ms);
    this.#isSet = false;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endSleep = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

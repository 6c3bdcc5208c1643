import type { EventPage, EventQuery } from './event-pages.js';

export interface FollowOptions {
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
  /** New records are looked for at least this often, in ms, hints aside. Default 1,000. */
  readonly pollMs?: number | undefined;
}

/** What following needs of a log. */
export interface FollowedLog {
  listEvents(query: EventQuery): Promise<EventPage>;
  watch(topic: string, onAppend: () => void): () => void;
}

/** Between two looks, however many hints there are, in milliseconds. */
const minLookMs = 20;

/** Page after page; at the end it waits for what will be appended. */
export async function* followEvents(
  log: FollowedLog,
  query: EventQuery,
  { signal, pollMs = 1_000 }: FollowOptions,
): AsyncGenerator<EventPage, void> {
  const bell = new Bell();
  const unwatch = query.topics.map((topic) => log.watch(topic, () => bell.ring()));
  const onAbort = (): void => bell.ring();
  signal?.addEventListener('abort', onAbort);
  try {
    let { cursor } = query;
    while (!signal?.aborted) {
      const page: EventPage = await log.listEvents({ ...query, cursor });
      cursor = page.next;
      if (page.records.length > 0) yield page;
      if (!page.isLast || signal?.aborted) continue;
      await bell.wait(minLookMs, signal);
      await bell.heard(pollMs);
    }
  } finally {
    for (const end of unwatch) end();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Remembers that it rang until somebody hears it. */
class Bell {
  #rang = false;
  #answer: (() => void) | undefined;

  ring(): void {
    this.#rang = true;
    this.#answer?.();
  }

  /** Resolves when it rings, or has rung since this was last asked; or after the time. */
  async heard(ms: number): Promise<void> {
    if (!this.#rang) await this.#sleep(ms);
    this.#rang = false;
  }

  /** Resolves after the time, or at once when it is ended. */
  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (!signal?.aborted) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#answer = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

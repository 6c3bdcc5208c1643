import type { ChannelEvent } from '../hub/broker.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import type { EventCheck } from './event-schema.js';
import type { PublishedEvent, PublishReturn } from './namespace.js';

/** Entry of `failed`. */
export interface FailedEvent {
  readonly identifier: string;
  readonly index: number;
  readonly code?: string;
  readonly message?: string;
}

/** Result of a publish, before anything is broadcast. */
export interface PublishOutcome {
  /** Events for subscribers, in the order in which the handler returned them. */
  readonly broadcast: readonly ChannelEvent[];
  /** Events that are broadcast, or that the handler has dropped. */
  readonly successful: readonly { readonly identifier: string; readonly index: number }[];
  readonly failed: readonly FailedEvent[];
  /** Number of events that the handler has dropped. */
  readonly dropped: number;
}

/** Rules for the events of one publish. */
export interface PublishRules {
  /** Check by the schema of the namespace. Default: none. */
  readonly check?: EventCheck | undefined;
  /** Largest event that is broadcast, in bytes. */
  readonly maxBytes: number;
  /** True if a handler gets the events, and may change them. */
  readonly isHandled: boolean;
}

/** Event of a publish that has not failed. */
interface OpenEvent {
  readonly id: string;
  readonly index: number;
  /** Text as it came: it is broadcast unchanged, unless the handler changes its value. */
  readonly text: string;
  /** The value as JSON, before the handler has it. Undefined without a handler. */
  readonly written: string | undefined;
}

/** The events of one publish on their way: parsed, checked, handled. */
export class PublishRun {
  /** Events for the handler. */
  readonly events: readonly PublishedEvent[];
  readonly #open = new Map<string, OpenEvent>();
  readonly #failed: FailedEvent[] = [];
  readonly #maxBytes: number;

  /** @throws RealtimeError `BadRequestException` if an event is not JSON */
  constructor(events: readonly ChannelEvent[], rules: PublishRules) {
    this.#maxBytes = rules.maxBytes;
    const parsed: PublishedEvent[] = [];
    for (const [index, { id, event }] of events.entries()) {
      const payload = parseEvent(event);
      const fault = rules.check?.(payload, event);
      if (fault !== undefined) {
        this.#fail({ id, index }, { code: 'SchemaValidationException', message: fault });
        continue;
      }
      const written = rules.isHandled ? JSON.stringify(payload) : undefined;
      this.#open.set(id, { id, index, text: event, written });
      parsed.push({ id, payload });
    }
    this.events = parsed;
  }

  /** Broadcasts what has not failed. */
  finishUnhandled(): PublishOutcome {
    const broadcast: ChannelEvent[] = [];
    for (const event of this.#open.values()) this.#add(broadcast, event, event.text);
    return this.#outcome(broadcast, 0);
  }

  /** Broadcasts what a handler has returned. @throws TypeError if that is no list of events */
  finish(returned: PublishReturn): PublishOutcome {
    if (returned !== null && !Array.isArray(returned)) {
      throw new TypeError('onPublish returned neither a list of events nor null');
    }
    const broadcast: ChannelEvent[] = [];
    const handled = new Set<string>();
    for (const { id, payload, error } of returned ?? []) {
      const event = this.#open.get(id);
      // Ids that nobody sent, and second entries of one event, have no place to go to.
      if (event === undefined || handled.has(id)) continue;
      handled.add(id);
      if (error !== undefined) {
        this.#fail(event, { message: String(error) });
        continue;
      }
      const written = JSON.stringify(payload) as string | undefined;
      if (written === undefined) this.#fail(event, { message: 'The handler returned no payload.' });
      else this.#add(broadcast, event, written === event.written ? event.text : written);
    }
    return this.#outcome(broadcast, this.#open.size - handled.size);
  }

  #add(broadcast: ChannelEvent[], event: OpenEvent, text: string): void {
    if (isLongerThan(text, this.#maxBytes)) {
      const message = `Transformed event is larger than ${Math.floor(this.#maxBytes / 1024)}KB`;
      this.#fail(event, { code: 'EventTooLargeException', message });
    } else {
      broadcast.push({ id: event.id, event: text });
    }
  }

  #fail(
    { id, index }: Pick<OpenEvent, 'id' | 'index'>,
    reason: Pick<FailedEvent, 'code' | 'message'>,
  ): void {
    this.#failed.push({ identifier: id, index, ...reason });
  }

  #outcome(broadcast: readonly ChannelEvent[], dropped: number): PublishOutcome {
    const failed = new Set(this.#failed.map(({ identifier }) => identifier));
    const successful = [...this.#open.values()]
      .filter(({ id }) => !failed.has(id))
      .map(({ id, index }) => ({ identifier: id, index }));
    return {
      broadcast,
      successful,
      failed: this.#failed.toSorted((a, b) => a.index - b.index),
      dropped,
    };
  }
}

function parseEvent(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RealtimeError('BadRequestException', 400, 'Every event must be a valid JSON string.');
  }
}

/** True if a text has more than so many bytes in UTF-8. Most texts are decided by their length. */
function isLongerThan(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}

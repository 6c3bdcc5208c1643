import { setTimeout as sleep } from 'node:timers/promises';

/** Events of one publish, and of one connection of a publisher. */
const eventsPerPublish = 5;

/** Text of a numbered event. */
interface NumberedEvent {
  readonly publisher: number;
  readonly number: number;
}

/** Options of `NumberedPublishers`. */
export interface NumberedPublishersOptions {
  readonly publishers: number;
  /** Wait of a publisher between two publishes, in ms. */
  readonly pauseMs: number;
  /**
   * Publishes, by the way that the test is about. Resolves to false if it was refused or not
   * answered: whether the events are published is not known then.
   */
  readonly publish: (events: readonly string[], publisher: number) => Promise<boolean>;
}

/**
 * Publishers at the same time. Each publishes its numbers from 0 on, never one twice: a publish
 * without an answer is left behind.
 */
export class NumberedPublishers {
  /** Texts of events whose publish was answered with success. */
  readonly answered: Set<string> = new Set();
  /** Publishes that were refused or not answered. */
  unanswered = 0;
  readonly #ended: Promise<unknown>;
  #isOn = true;

  constructor({ publishers, pauseMs, publish }: NumberedPublishersOptions) {
    const run = async (publisher: number): Promise<void> => {
      for (let number = 0; this.#isOn; number += eventsPerPublish) {
        const events = Array.from({ length: eventsPerPublish }, (_, index) =>
          toText({ publisher, number: number + index }),
        );
        if (await publish(events, publisher)) for (const event of events) this.answered.add(event);
        else this.unanswered += 1;
        await sleep(pauseMs);
      }
    };
    this.#ended = Promise.all(Array.from({ length: publishers }, (_, index) => run(index)));
  }

  /** Resolves when the last publish has ended. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#ended;
  }
}

/** Lists what is wrong with the events of a subscriber: doubles, and numbers that go back. */
export function findDisorder(events: readonly string[]): string[] {
  const last = new Map<number, number>();
  return events.flatMap((event, index) => {
    const { publisher, number } = JSON.parse(event) as NumberedEvent;
    const before = last.get(publisher) ?? -1;
    last.set(publisher, number);
    return number > before ? [] : [`at ${index}: ${event} comes after ${before}`];
  });
}

function toText(event: NumberedEvent): string {
  return JSON.stringify(event);
}

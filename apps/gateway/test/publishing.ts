import type { EventEnvelope } from '@posthaste/contracts';
import { decodeEnvelope, type StoredRecord } from '@posthaste/eventstream';
import { afterAll, beforeAll } from 'vitest';
import type { Answer } from './caller.js';
import { type Engine, openTestEvents, type TestEvents } from './test-events.js';

/** Answer of `POST /v1/events` to one event. */
export interface Published {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Error of an answer. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly details?: readonly { readonly field: string; readonly message: string }[];
}

/** Answer to a list. */
export interface ListAnswer {
  readonly items: readonly {
    readonly status: number;
    readonly event?: Published;
    readonly problem?: Problem;
  }[];
}

/** Gateway that tests publish to. */
export interface Publishing {
  /** Returns a topic that no other test uses. */
  newTopic(): string;
  post<T = Published & Problem>(
    body: unknown,
    headers?: Record<string, string>,
    query?: string,
  ): Promise<Answer<T>>;
  recordsOf(topic: string): Promise<readonly StoredRecord[]>;
  eventsOf(topic: string): Promise<readonly EventEnvelope[]>;
}

/** Opens a gateway for the tests of a file, on a log of its own. */
export function usePublishing(engine: Engine): Publishing {
  let gateway: TestEvents;
  let topics = 0;
  beforeAll(async () => {
    gateway = await openTestEvents({ engine });
  });
  afterAll(() => gateway.close());
  const recordsOf = async (topic: string): Promise<readonly StoredRecord[]> =>
    (await gateway.log.listEvents({ within: 'all', topics: [topic] })).records;
  return {
    newTopic() {
      topics += 1;
      return `topic-${topics}`;
    },
    post: (body, headers = {}, query = '') =>
      gateway.call.with(headers)('POST', `/v1/events${query}`, body),
    recordsOf,
    eventsOf: async (topic) =>
      (await recordsOf(topic)).map(({ value }) => decodeEnvelope(value ?? Buffer.alloc(0))),
  };
}

import { type ChannelBatch, RealtimeError } from '@posthaste/appsync-server';
import {
  createEnvelope,
  ExpiringCache,
  type JsonObject,
  type JsonValue,
  PlatformError,
  parseJsonWithBigints,
  reservedNameFault,
  reservedTopicFault,
} from '@posthaste/contracts';
import type { LogRecord } from '@posthaste/eventstream';
import {
  type EventToPublish,
  findRefused,
  type TopicLookup,
  toEventToPublish,
} from '@posthaste/eventstream/event-log';
import type { GatewayNamespaces } from './namespaces.js';

/** Options of {@link Forwarding}. */
export interface ForwardingOptions {
  readonly namespaces: Pick<GatewayNamespaces, 'find'>;
  readonly log: TopicLookup;
  /** Most topics in the event log, as for events that are published there. */
  readonly maxTopics: number;
}

/** Topics that are known to exist for an application, each for this time in ms. */
const maxKnown = 10_000;
const knownMs = 3_600_000;

/** Converts batches to the events of the topics that their namespaces forward to. */
export class Forwarding {
  readonly #options: ForwardingOptions;
  /** Topics that an application may publish to. Topics are never removed. */
  readonly #known = new ExpiringCache<true>(maxKnown);
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  /**
   * Returns the events of a batch as records; none if its namespace forwards nowhere. The payload has
   * `channel` and `event`, the key is the channel. Returns a promise only for a topic that may be new;
   * batches with one topic keep their order.
   * @throws RealtimeError that refuses the batch: for a topic or name of the platform, a topic of
   *   another application, one more topic than there may be, or an event that is too large for the log
   */
  forward(batch: ChannelBatch): readonly LogRecord[] | Promise<readonly LogRecord[]> {
    const { realm, channel } = batch;
    const { forwardTo } = this.#options.namespaces.find(realm, channel.segments[0]) ?? {};
    if (forwardTo === undefined) return [];
    const { topic, name } = forwardTo;
    this.#checkTarget(forwardTo, realm);
    const records = batch.events.map(({ id, event }) => {
      const payload = { channel: channel.path, event: parseJsonWithBigints(event) as JsonValue };
      const facts = { id: id.replaceAll('-', ''), name, namespace: realm };
      return toRecord({ ...facts, payload }, { topic, realm, key: channel.path });
    });
    const [first] = records;
    const key = `${topic}\0${realm}`;
    if (first === undefined || this.#known.get(key, performance.now())) return records;
    return this.#checkTopic(key, first).then(() => records);
  }

  #checkTarget({ topic, name }: { topic: string; name: string }, realm: string): void {
    const isForeign = this.#options.log.isForeignTopic(topic, [realm]);
    const fault =
      reservedTopicFault(topic) ??
      reservedNameFault(name) ??
      (isForeign ? 'is one of another application' : undefined);
    if (fault === undefined) return;
    const message = `The namespace forwards to '${name}' in the topic '${topic}', which ${fault}.`;
    throw new RealtimeError('Forbidden', 403, message);
  }

  /** Checks that the topic exists, or may be created. */
  #checkTopic(key: string, event: EventToPublish): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const checking = this.#check(key, event).finally(() => this.#running.delete(key));
    this.#running.set(key, checking);
    return checking;
  }

  async #check(key: string, event: EventToPublish): Promise<void> {
    const publish = { event, within: [event.application] };
    const { log, maxTopics } = this.#options;
    const refused = (await findRefused(log, [publish], maxTopics)).get(publish);
    if (refused !== undefined) throw new RealtimeError('Forbidden', 403, refused.message);
    this.#known.set(key, true, performance.now() + knownMs);
  }
}

/** @throws RealtimeError `BadRequestException` for an event that the log does not take */
function toRecord(
  facts: Parameters<typeof createEnvelope<JsonObject>>[0],
  { topic, realm, key }: { topic: string; realm: string; key: string },
): EventToPublish {
  try {
    return toEventToPublish(createEnvelope(facts), { topic, application: realm, key });
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const message = `The event cannot be forwarded to the topic '${topic}': ${error.message}.`;
    throw new RealtimeError('BadRequestException', 400, message);
  }
}

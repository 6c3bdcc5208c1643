import { type Caller, canUse, mayBeShown, type Scope } from '@posthaste/access';
import {
  type Identity,
  type Namespace,
  RealtimeError,
  type RealtimeServer,
  type SubscribeContext,
} from '@posthaste/appsync-server';
import { type ApplicationRules, toEventName } from '@posthaste/contracts';
import { applicationOf, type RecordTraits, type StoredRecord } from '@posthaste/eventstream';
import { isAuditTopic } from '../../access/audit-events.js';
import { findHidden } from './mirror-access.js';
import {
  type MirrorTarget,
  mirrorNamespace,
  parseMirrorChannel,
  toMirrorTargets,
} from './mirror-channels.js';
import { type MirroredLog, MirrorTail } from './mirror-tail.js';
import { toMirroredEvent } from './mirrored-event.js';

/** Options of a `PlatformMirror`. */
export interface PlatformMirrorOptions {
  readonly log: MirroredLog;
  /** Rules that map topics to applications. */
  readonly topicRules: ApplicationRules;
  /** Application in which events appear that name none, of topics that no rule maps. */
  readonly defaultApplication: string;
  /** Returns the caller behind an identity; undefined for one that is not of the platform. */
  readonly callerOf: (identity: Identity) => Caller | undefined;
  /** Called with errors of reading, which is tried again. */
  readonly onError: (error: unknown) => void;
  /** Largest event, in bytes. Default 245,760 (240 KB). */
  readonly maxEventBytes?: number | undefined;
  /** Longest time until a record is noticed whose notification is lost, in ms. Default 1,000. */
  readonly pollMs?: number | undefined;
}

/** Principals that get an event. */
interface Audience {
  readonly realm: string;
  /** True for those of the realm that may read it. Absent: all subscribers. */
  readonly isFor?: ((identity: Identity) => boolean) | undefined;
}

type MirrorServer = Pick<RealtimeServer, 'hasSubscribers' | 'deliver'>;

/** Most targets that are remembered, by topic and name. */
const maxKnownTargets = 2_000;

function refusePublish(): never {
  const message = `The namespace ${mirrorNamespace} is read-only: only the platform publishes to it.`;
  throw new RealtimeError('Forbidden', 403, message);
}

/**
 * Mirror of the event log on the channels of the namespace `posthaste`, for the subscribers of this
 * node, from the moment on at which they subscribe. mirror-channels.ts lists the channels.
 *
 * An event is shown in its application to those who may read it over HTTP too:
 * docs/event-applications.md.
 */
export class PlatformMirror {
  /** The namespace of the mirror. */
  readonly namespace: Namespace;
  readonly #options: PlatformMirrorOptions;
  readonly #tail: MirrorTail;
  readonly #targets = new Map<string, readonly MirrorTarget[]>();
  #server: MirrorServer | undefined;

  constructor(options: PlatformMirrorOptions) {
    const { log, onError, pollMs } = options;
    this.#options = options;
    this.namespace = {
      name: mirrorNamespace,
      durable: false,
      history: 0,
      handlers: {
        onPublish: refusePublish,
        onSubscribe: (context) => this.#onSubscribe(context),
      },
    };
    this.#tail = new MirrorTail({
      ...{ log, onError, pollMs },
      isSubscribed: ({ realm, channel }) => this.#server?.hasSubscribers(realm, channel) ?? false,
      isWanted: (traits) => this.#isWanted(traits),
      onRecords: (records) => {
        for (const record of records) this.#deliver(record);
      },
    });
  }

  /** Sets the server whose subscribers get the events. Until then there are none. */
  serve(server: MirrorServer): void {
    this.#server = server;
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#tail.close();
  }

  /** @throws RealtimeError for a channel that there is not, or that is not for the subscriber */
  async #onSubscribe({ identity, info }: SubscribeContext): Promise<void> {
    const { path, segments } = info.channel;
    const asked = parseMirrorChannel(segments);
    if (asked === undefined) {
      const message = `There is no channel ${path}: the platform has /posthaste/callbacks, /posthaste/events/<topic> and /posthaste/events/<topic>/<name>.`;
      throw new RealtimeError('BadRequestException', 400, message);
    }
    const { realm } = identity;
    const rights = { applications: [realm], scopes: asked.scopes };
    const missing = findHidden(this.#options.callerOf(identity), rights);
    if (missing !== undefined) {
      const message = `The credential lacks the scope ${missing}, which ${path} needs.`;
      throw new RealtimeError('Forbidden', 403, message);
    }
    if (this.#tail.isFull(realm)) {
      const message = 'Too many channels of the platform are subscribed to.';
      throw new RealtimeError('LimitExceededError', 429, message);
    }
    const isWildcard = segments.at(-1) === '*';
    const channel = { path, segments: segments as [string, ...string[]], isWildcard };
    await this.#tail.follow({ realm, channel, topic: asked.topic });
  }

  #isWanted({ topic, name, application }: RecordTraits): boolean {
    const { realm } = this.#audienceOf(topic, application);
    // A record without a name may have any name inside.
    if (name === null) return this.#tail.isInterested(realm, topic);
    return this.#targetsOf(topic, toEventName(name)).some(({ channel }) =>
      this.#server?.hasSubscribers(realm, channel),
    );
  }

  #deliver(record: StoredRecord): void {
    const { topic } = record;
    const event = toMirroredEvent(record, this.#options.maxEventBytes ?? 245_760);
    if (event === undefined) return;
    const { realm, isFor } = this.#audienceOf(topic, applicationOf(record) ?? null);
    const events = [{ id: event.id, event: event.text }];
    for (const { channel, wildcardDepth } of this.#targetsOf(topic, event.name)) {
      this.#server?.deliver({ realm, channel, events }, { wildcardDepth, isFor });
    }
  }

  /** Returns who gets an event of the topic that names this application, or none. */
  #audienceOf(topic: string, application: string | null): Audience {
    const { topicRules, defaultApplication } = this.#options;
    const owner = topicRules.ownerOf(topic);
    const realm = application ?? owner ?? defaultApplication;
    // Only callers for all see events of nobody, and those that others have in a topic of somebody.
    const isForAll = owner === undefined ? application === null : owner !== realm;
    if (!isForAll && !isAuditTopic(topic)) return { realm };
    const scopes: Scope[] = isAuditTopic(topic) ? ['events:read', 'audit:read'] : ['events:read'];
    const isFor = (identity: Identity): boolean => {
      const caller = this.#options.callerOf(identity);
      if (caller === undefined) return false;
      return isForAll
        ? canUse(caller, { applications: 'all', scopes })
        : mayBeShown(caller, { applications: [realm], scopes });
    };
    return { realm, isFor };
  }

  #targetsOf(topic: string, name: string): readonly MirrorTarget[] {
    const key = `${topic}\n${name}`;
    const known = this.#targets.get(key);
    if (known !== undefined) return known;
    if (this.#targets.size >= maxKnownTargets) this.#targets.clear();
    const targets = toMirrorTargets(topic, name);
    this.#targets.set(key, targets);
    return targets;
  }
}

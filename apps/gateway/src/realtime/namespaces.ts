import {
  type ChannelBatch,
  type Namespace,
  type NamespaceDirectory,
  RealtimeError,
} from '@posthaste/appsync-server';
import type { StoredNamespace } from '@posthaste/appsync-server/postgres';
import {
  createEnvelope,
  type JsonValue,
  parseJsonWithBigints,
  reservedNameFault,
  reservedTopicFault,
} from '@posthaste/contracts';
import type { LogRecord, PostgresLog } from '@posthaste/eventstream';
import { toEventToPublish } from '@posthaste/eventstream/event-log';
import type { FileNamespace } from './realtime-file.js';

/** Namespaces of the database. */
export interface StoredNamespaces {
  findOwn(realm: string, name: string): StoredNamespace | undefined;
  findShared(name: string): StoredNamespace | undefined;
}

/** Namespaces of a gateway: those of the file, of the database, and that of the platform. */
export class GatewayNamespaces implements NamespaceDirectory {
  readonly #stored: StoredNamespaces;
  readonly #mirror: Namespace;
  readonly #ofFile = new Map<string, StoredNamespace>();

  /** @param mirror namespace of the platform's own events, which no other replaces */
  constructor(stored: StoredNamespaces, file: readonly FileNamespace[], mirror: Namespace) {
    this.#stored = stored;
    this.#mirror = mirror;
    for (const { application, ...namespace } of file) {
      this.#ofFile.set(toKey(application, namespace.name), namespace);
    }
  }

  /** Of two with one name, that of the application goes first, and that of the file. */
  find(realm: string, name: string): StoredNamespace | undefined {
    if (name === this.#mirror.name) return this.#mirror;
    const stored = this.#stored;
    return (
      this.#ofFile.get(toKey(realm, name)) ??
      stored.findOwn(realm, name) ??
      this.#ofFile.get(toKey(undefined, name)) ??
      stored.findShared(name)
    );
  }
}

/** Returns the key of a namespace: of a shared one, its name alone. */
function toKey(application: string | undefined, name: string): string {
  return application === undefined ? name : `${application}\n${name}`;
}

/**
 * Returns the events of a batch as records of the topic that its namespace forwards to; none if it
 * forwards nowhere. The payload has `channel` and `event`, the key is the channel.
 * @throws RealtimeError `Forbidden` for a topic or name of the platform, or a topic of another application
 */
export function toForwarded(
  namespaces: Pick<GatewayNamespaces, 'find'>,
  log: Pick<PostgresLog, 'isForeignTopic'>,
  { realm, channel, events }: ChannelBatch,
): readonly LogRecord[] {
  const { forwardTo } = namespaces.find(realm, channel.segments[0]) ?? {};
  if (forwardTo === undefined) return [];
  const { topic, name } = forwardTo;
  const fault =
    reservedTopicFault(topic) ??
    reservedNameFault(name) ??
    (log.isForeignTopic(topic, [realm]) ? 'is one of another application' : undefined);
  if (fault !== undefined) {
    const message = `The namespace forwards to '${name}' in the topic '${topic}', which ${fault}.`;
    throw new RealtimeError('Forbidden', 403, message);
  }
  return events.map(({ id, event }) => {
    const payload = { channel: channel.path, event: parseJsonWithBigints(event) as JsonValue };
    const envelope = createEnvelope({
      id: id.replaceAll('-', ''),
      name,
      namespace: realm,
      payload,
    });
    return toEventToPublish(envelope, { topic, application: realm, key: channel.path });
  });
}

import { type EventEnvelope, eventTypeOf } from '@posthaste/contracts';
import { toEnvelopeText } from '../../../envelope/encode.js';
import { toHeaders } from '../../../envelope/headers.js';
import { toStoredHeaders } from '../storage/stored-headers.js';
import { toTopicApplications } from '../storage/topic-access.js';
import type { LogTopic } from '../storage/topic-directory.js';
import { type AppendContext, type AppendOptions, type AppendRules, checkSize } from './append.js';
import { type AppendMode, appendTexts, type TextColumns } from './append-store.js';

/** An event to append to the log. */
export interface LogEvent {
  readonly topic: string;
  /** Decides the partition. */
  readonly key: string;
  readonly envelope: EventEnvelope<object>;
  /** Application that the event belongs to. Default: none. */
  readonly application?: string | undefined;
  /** W3C trace context, for the header. */
  readonly traceparent?: string | undefined;
}

/** Returns the shard of a key. */
type ShardOf = (topic: string, key: string) => number;

/**
 * Appends events to the partitions of their keys, with one statement. For callers that append
 * thousands per second: each event becomes only texts in columns, and no offsets are returned.
 */
export async function appendEventsByKey(
  { tx, rules }: AppendContext,
  events: readonly LogEvent[],
  { keyOrder = 'commit', notify = true }: AppendOptions = {},
): Promise<void> {
  if (events.length === 0) return;
  const names = [...new Set(events.map(({ topic }) => topic))];
  const topics = await rules.topics.ensure(tx, names);
  await rules.access.store(tx, topics, toTopicApplications(events));
  const columns = toColumns(events, cacheLastShard(topics, rules), rules.maxBytes);
  const mode: AppendMode = { lockKeys: keyOrder === 'commit', notify: notify ? names : [] };
  await appendTexts(tx, columns, mode);
}

function toColumns(events: readonly LogEvent[], shardOf: ShardOf, maxBytes: number): TextColumns {
  const columns: TextColumns = {
    shards: [],
    names: [],
    keys: [],
    values: [],
    headers: [],
    applications: [],
  };
  for (const { topic, key, envelope, traceparent, application } of events) {
    const type = eventTypeOf(envelope);
    const value = toEnvelopeText(envelope, 'default');
    // UTF-8 has at most three bytes per character of a text's length.
    if ((key.length + value.length) * 3 > maxBytes) {
      checkSize(Buffer.byteLength(key) + Buffer.byteLength(value), maxBytes);
    }
    const isEvent = envelope.id !== '' && envelope.name !== '' && !type.includes('\0');
    const stored = isEvent
      ? undefined
      : toStoredHeaders({ headers: toHeaders(envelope, traceparent) });
    columns.shards.push(shardOf(topic, key));
    columns.names.push(stored ? stored.name : type);
    columns.keys.push(key);
    columns.values.push(value);
    columns.headers.push(stored ? stored.headers : toTraceText(traceparent));
    columns.applications.push(application ?? null);
  }
  return columns;
}

function toTraceText(traceparent: string | undefined): string | null {
  return traceparent === undefined ? null : JSON.stringify(traceparent);
}

/** Returns a function that caches the last shard: events of one key follow one another. */
function cacheLastShard(
  topics: ReadonlyMap<string, LogTopic>,
  { partitionerOf }: AppendRules,
): ShardOf {
  const last = { topic: '', key: '', shard: 0 };
  return (topic, key) => {
    if (topic === last.topic && key === last.key) return last.shard;
    const shards = topics.get(topic)?.shards ?? [];
    last.topic = topic;
    last.key = key;
    last.shard = shards[partitionerOf(topic)(Buffer.from(key), shards.length)] ?? 0;
    return last.shard;
  };
}

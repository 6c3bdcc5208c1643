import type { EventEnvelope } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import { toEnvelopeText } from '../../../envelope/encode.js';
import { toHeaders } from '../../../envelope/headers.js';
import type { Partitioner } from '../../../publish/partitioner.js';
import { toStoredHeaders } from '../storage/stored-headers.js';
import type { LogTopic } from '../storage/topic-directory.js';
import { type AppendOptions, type AppendRules, checkSize } from './append.js';
import { type AppendMode, appendTexts, type TextColumns } from './append-store.js';

/** An event on its way into the log. */
export interface LogEvent {
  readonly topic: string;
  /** Decides the partition. */
  readonly key: string;
  readonly envelope: EventEnvelope<object>;
  /** W3C trace context, for the header. */
  readonly traceparent?: string | undefined;
}

/**
 * Puts events into their partitions, with one statement. For who appends thousands a second beside
 * other work: columns of texts are all that is made of them, and nothing is asked back.
 */
export async function appendEventsByKey(
  tx: Transaction,
  { topics: directory, partitionerOf, maxBytes }: AppendRules,
  events: readonly LogEvent[],
  { keyOrder = 'commit', notify = true }: AppendOptions = {},
): Promise<void> {
  if (events.length === 0) return;
  const names = [...new Set(events.map(({ topic }) => topic))];
  const topics = await directory.ensure(tx, names);
  const columns = toColumns(events, topics, partitionerOf, maxBytes);
  const manner: AppendMode = { lockKeys: keyOrder === 'commit', notify: notify ? names : [] };
  await appendTexts(tx, columns, manner);
}

function toColumns(
  events: readonly LogEvent[],
  topics: ReadonlyMap<string, LogTopic>,
  partitionerOf: AppendRules['partitionerOf'],
  maxBytes: number,
): TextColumns {
  const columns: TextColumns = { shards: [], names: [], keys: [], values: [], headers: [] };
  const shardOf = rememberLastShard(topics, partitionerOf);
  for (const { topic, key, envelope, traceparent } of events) {
    const { id, name } = envelope;
    const value = toEnvelopeText(envelope, 'default');
    // No text is longer in UTF-8 than three times its length.
    if ((key.length + value.length) * 3 > maxBytes) {
      checkSize(Buffer.byteLength(key) + Buffer.byteLength(value), maxBytes);
    }
    const isEvent = id !== '' && name !== '' && !name.includes('\0');
    const stored = isEvent ? undefined : toStoredHeaders(toHeaders(envelope, traceparent));
    columns.shards.push(shardOf(topic, key));
    columns.names.push(stored ? stored.name : name);
    columns.keys.push(key);
    columns.values.push(value);
    columns.headers.push(stored ? stored.headers : toTraceText(traceparent));
  }
  return columns;
}

function toTraceText(traceparent: string | undefined): string | null {
  return traceparent === undefined ? null : JSON.stringify(traceparent);
}

/** Events of one thing come one after another: their key is looked at once. */
function rememberLastShard(
  topics: ReadonlyMap<string, LogTopic>,
  partitionerOf: (topic: string) => Partitioner,
): (topic: string, key: string) => number {
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

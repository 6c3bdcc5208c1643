import type { ChannelBatch, ChannelEvent, PresenceChannelName } from '@posthaste/appsync-server';
import { parseChannel } from '@posthaste/appsync-server';
import { isJsonObject } from '@posthaste/contracts';
import type { LogRecord, StoredRecord } from '@posthaste/eventstream';

/*
 * Batches of events as records of the topic `realtime`. The key is `<application>\n<path>`; the
 * application is also that of the record, so that erasing an application erases them. The value is
 * JSON: the node that appended the record, its number on that node, and the events.
 *
 * A record of presence has the same key, and no value: the members of the channel may have changed.
 */

/** Topic that gateways share. Nobody else sees it, and it has one partition. */
export const realtimeTopic = 'realtime';
/** Name of records with events that are stored. */
export const storedName = 'realtime.events';
/** Name of records with events for the sockets of other nodes, which nobody finds afterwards. */
const broadcastName = 'realtime.broadcast';
/** Name of records that say that the members of a channel may have changed. */
const presenceName = 'realtime.presence';
/** Positions of one record: the first event has the first, each further one the next. */
const positionsPerRecord = 1_024n;

/** Batch on its way to the log, with its place on the node. */
export interface NumberedBatch {
  readonly batch: ChannelBatch;
  readonly node: string;
  readonly number: number;
  readonly isStored: boolean;
}

interface RecordBody {
  readonly node: string;
  readonly number: number;
  readonly events: readonly ChannelEvent[];
}

/** Returns the key of a channel's records; of a wildcard, the beginning of their keys. */
export function toRecordKey({ realm, channel }: Pick<ChannelBatch, 'realm' | 'channel'>): Buffer {
  const path = channel.isWildcard ? channel.path.slice(0, -1) : channel.path;
  return Buffer.from(`${realm}\n${path}`);
}

/** Returns the offset of the record that a position is in. */
export function offsetOf(position: bigint): bigint {
  return position / positionsPerRecord;
}

/** Returns the position of the first event of a record. */
export function positionOf(offset: bigint): bigint {
  return offset * positionsPerRecord;
}

/** Converts a batch to a record. */
export function toBatchRecord({ batch, node, number, isStored }: NumberedBatch): LogRecord {
  const events = batch.events.map(({ id, event }) => ({ id, event }));
  const body: RecordBody = { node, number, events };
  return {
    topic: realtimeTopic,
    key: toRecordKey(batch),
    value: Buffer.from(JSON.stringify(body)),
    headers: { ce_type: isStored ? storedName : broadcastName },
    application: batch.realm,
  };
}

/** Returns the channel that the key of a record names; undefined if it is none. */
export function fromRecordKey(
  key: Buffer | null,
): Pick<ChannelBatch, 'realm' | 'channel'> | undefined {
  const text = key?.toString() ?? '';
  const end = text.indexOf('\n');
  const channel = parseChannel(text.slice(end + 1));
  return end < 0 || channel === undefined ? undefined : { realm: text.slice(0, end), channel };
}

/** Converts a record back. Returns undefined for one that no gateway has written. */
export function fromBatchRecord({ key, value, headers }: StoredRecord): NumberedBatch | undefined {
  const named = fromRecordKey(key);
  if (named === undefined || value === null) return undefined;
  const body = parseBody(value.toString());
  if (body === undefined) return undefined;
  const { node, number, events } = body;
  const batch = { ...named, events };
  return { batch, node, number, isStored: headers.ce_type === storedName };
}

function parseBody(text: string): RecordBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isJsonObject(body) && Array.isArray(body.events)
      ? (body as object as RecordBody)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the record that says that the members of a channel may have changed. */
export function toPresenceRecord({ realm, path }: PresenceChannelName): LogRecord {
  return {
    topic: realtimeTopic,
    key: Buffer.from(`${realm}\n${path}`),
    value: null,
    headers: { ce_type: presenceName },
    application: realm,
  };
}

/** Returns the channel whose members may have changed; undefined for records of batches. */
export function fromPresenceRecord({
  key,
  headers,
}: StoredRecord): PresenceChannelName | undefined {
  if (headers.ce_type !== presenceName) return undefined;
  const named = fromRecordKey(key);
  return named && { realm: named.realm, path: named.channel.path };
}

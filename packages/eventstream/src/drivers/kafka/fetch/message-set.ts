/**
 * Decodes messages in the formats before Kafka 0.11 (magic 0 and 1), in which topics of that age
 * may still be stored. kafkajs could decode them too, but looks their codec up in its table for the
 * whole process, which has only gzip (wire/codecs.ts).
 *
 * MessageSet => [offset: int64, messageSize: int32, Message]
 *   Message => crc: uint32, magic: int8, attributes: int8, timestamp: int64 (magic 1 only),
 *     key: NULLABLE_BYTES, value: NULLABLE_BYTES
 *
 * The value of a compressed message is a message set. Offsets in it are those of the log (magic 0),
 * or count from its first message on (magic 1), and the outer message has the offset of its last
 * one.
 */

import { codecMask, getCodecByNumber } from '../wire/codecs.js';
import { WireReader } from '../wire/wire-reader.js';
import type { FetchedMessage, LogEntry } from './fetched-record.js';

const relativeOffsetsFormat = 1;
/** Time of a message whose format has none, as the Java client gives it. */
const noTimestampMs = -1;

export function isMessageFormat(magic: number): boolean {
  return magic === 0 || magic === relativeOffsetsFormat;
}

/**
 * Returns the message, or the messages in it if it is compressed.
 * @param reader at the checksum
 * @throws Error for a codec that is not known
 */
export async function decodeMessage(
  place: LogEntry,
  reader: WireReader,
): Promise<FetchedMessage[]> {
  const { magic, attributes, message } = readMessage(place, reader);
  const codecNumber = attributes & codecMask;
  if (codecNumber === 0 || message.value === null) return [message];
  const messageSet = await getCodecByNumber(codecNumber).decompress(message.value);
  const inner = readMessageSet(place, new WireReader(messageSet));
  if (magic !== relativeOffsetsFormat) return inner;
  const base = place.offset - (inner.at(-1)?.offset ?? 0n);
  return inner.map((each) => ({ ...each, offset: base + each.offset }));
}

function readMessageSet(place: LogEntry, reader: WireReader): FetchedMessage[] {
  const messages: FetchedMessage[] = [];
  while (reader.remaining > 0) {
    const offset = reader.int64();
    reader.int32(); // messageSize
    messages.push(readMessage({ ...place, offset }, reader).message);
  }
  return messages;
}

function readMessage(
  { topic, partition, offset }: LogEntry,
  reader: WireReader,
): { magic: number; attributes: number; message: FetchedMessage } {
  reader.int32(); // crc
  const magic = reader.int8();
  const attributes = reader.int8();
  const message: FetchedMessage = {
    topic,
    partition,
    offset,
    timestampMs: magic === 0 ? noTimestampMs : Number(reader.int64()),
    key: reader.nullableBytes(),
    value: reader.nullableBytes(),
    headers: {},
    isControlRecord: false, // These formats have no transactions.
  };
  return { magic, attributes, message };
}

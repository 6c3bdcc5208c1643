import { callbackEventTopic, type PlacedEvent } from '@posthaste/callbacks';
import {
  type ApplicationRules,
  hopsHeader,
  isPlatformTopic,
  parseHops,
} from '@posthaste/contracts';
import { applicationOf, decodeRecordWithDigits, type StoredRecord } from '@posthaste/eventstream';

/** Rules by which records without an application of their own get one: those of the workers. */
export interface UnnamedRecordRules {
  readonly topicRules: ApplicationRules;
  readonly defaultApplication: string;
}

/** Returns the event of a record as subscriptions get it; undefined if it is none, or nobody's. */
export function toPlacedEvent(
  record: StoredRecord,
  { topicRules, defaultApplication }: UnnamedRecordRules,
): PlacedEvent | undefined {
  const { topic, partition, offset, headers } = record;
  const envelope = decodeOrSkip(record);
  if (!envelope) return undefined;
  const unnamed = (): string | undefined => {
    const owner = topicRules.ownerOf(topic);
    if (owner !== undefined) return owner;
    if (topic === callbackEventTopic) return envelope.namespace;
    return isPlatformTopic(topic) ? undefined : defaultApplication;
  };
  const application = applicationOf(record) ?? unnamed();
  if (application === undefined) return undefined;
  const key = record.key?.toString();
  const { traceparent, tracestate } = headers;
  return {
    place: `${topic}/${partition}@${offset}`,
    topic,
    application,
    envelope,
    // An event without a key of its own has its id as key, and is ordered with no other event.
    key: key === envelope.id ? undefined : key,
    hops: parseHops(headers[hopsHeader]),
    ...(traceparent === undefined ? {} : { trace: { traceparent, tracestate } }),
  };
}

/** Anybody may append anything: what is no event is left out. */
function decodeOrSkip(record: StoredRecord): ReturnType<typeof decodeRecordWithDigits> {
  try {
    return decodeRecordWithDigits(record);
  } catch {
    return null;
  }
}

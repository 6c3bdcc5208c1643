import {
  type ApplicationRules,
  callbackEventTopic,
  type EventEnvelope,
  hopsHeader,
  isPlatformTopic,
  parseHops,
} from '@posthaste/contracts';
import { decodeRecordWithDigits } from '../envelope/decode-record.js';
import type { StoredRecord } from '../record.js';
import { applicationOf } from '../record-application.js';

/** Rules by which records without an application of their own get one. */
export interface UnnamedRecordRules {
  /** Rules that map topics to applications. */
  readonly topicRules: ApplicationRules;
  /** Application of records in topics that no rule maps to one, except those of the platform. */
  readonly defaultApplication: string;
}

/** Event of a record, with what its headers say about it. */
export interface LogEvent {
  readonly topic: string;
  readonly application: string;
  readonly envelope: EventEnvelope;
  /** Key that it was published with, if any. */
  readonly key: string | undefined;
  /** W3C trace context of the publisher. */
  readonly trace?: { readonly traceparent: string; readonly tracestate: string | undefined };
  /** Number of deliveries that led to it. */
  readonly hops: number;
}

/**
 * Returns the event of a record; undefined if it has none, or its event is nobody's.
 * @throws PlatformError `EVENT_INVALID`, `ENVELOPE_INVALID` for what cannot be read
 */
export function toLogEvent(record: StoredRecord, rules: UnnamedRecordRules): LogEvent | undefined {
  const { topic, headers } = record;
  const envelope = decodeRecordWithDigits(record);
  if (envelope === null) return undefined;
  const application = applicationOf(record) ?? toUnnamedApplication(topic, envelope, rules);
  if (application === undefined) return undefined;
  const key = record.key?.toString();
  const { traceparent, tracestate } = headers;
  return {
    topic,
    application,
    envelope,
    // An event without a key of its own has its id as key, and is ordered with no other event.
    key: key === envelope.id ? undefined : key,
    hops: parseHops(headers[hopsHeader]),
    ...(traceparent === undefined ? {} : { trace: { traceparent, tracestate } }),
  };
}

/**
 * Returns the application of an event whose record names none. Undefined for an event of the platform
 * that is about no application, such as an entry of the audit log about a key for all: it is nobody's.
 */
function toUnnamedApplication(
  topic: string,
  { namespace }: EventEnvelope,
  { topicRules, defaultApplication }: UnnamedRecordRules,
): string | undefined {
  const owner = topicRules.ownerOf(topic);
  if (owner !== undefined) return owner;
  // Events about callbacks from before records had an application have it as their namespace.
  if (topic === callbackEventTopic) return namespace;
  return isPlatformTopic(topic) ? undefined : defaultApplication;
}

/**
 * Record headers. They make a record a CloudEvent 1.0 in the binary mode of the Kafka binding: the
 * attributes are in `ce_*`, the whole envelope is the data. Go services ignore headers.
 *
 * | header           | value                                                          |
 * | ---------------- | -------------------------------------------------------------- |
 * | `content-type`   | `application/json`                                             |
 * | `ce_specversion` | `1.0`                                                          |
 * | `ce_id`          | `id`                                                           |
 * | `ce_type`        | `name`, or the type that the event came with as a CloudEvent   |
 * | `ce_source`      | `/namespaces/<namespace>`, percent-encoded, or the source that |
 * |                  | the event came with                                            |
 * | `ce_time`        | `timestamp`, with nanoseconds if `timestampUnixNano` is given, |
 * |                  | or the text that the event came with                           |
 * | `ce_subject`     | `userId`, if given                                             |
 * | `traceparent`    | W3C trace context, if given                                    |
 */

import {
  type EventEnvelope,
  eventTypeOf,
  isTraceparent,
  sourceOf,
  toCloudEvent,
} from '@posthaste/contracts';
import { toNanoTime } from './nano-time.js';

const plainNamespace = /^[\w.'-]*$/;
const anyTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Returns the headers of an envelope. Without id or name it is not a CloudEvent and only gets the
 * header of its trace.
 */
export function toHeaders(
  envelope: EventEnvelope<object>,
  traceparent?: string,
): Record<string, string> {
  const headers = toCloudEventHeaders(envelope);
  if (traceparent !== undefined) Object.assign(headers, toTraceHeaders(traceparent));
  return headers;
}

/** Returns the trace header. Leaves out an invalid `traceparent`: tracing never stops an event. */
export function toTraceHeaders(traceparent: string | undefined): Record<string, string> {
  if (traceparent === undefined || !isTraceparent(traceparent)) return {};
  return { traceparent };
}

function toCloudEventHeaders(envelope: EventEnvelope<object>): Record<string, string> {
  const { id, name, userId } = envelope;
  if (id === '' || name === '') return {};
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: id,
    ce_type: eventTypeOf(envelope),
    ce_source: toSource(envelope),
  };
  const time = originalTimeOf(envelope) ?? toTime(envelope);
  if (time !== undefined) headers.ce_time = time;
  if (userId !== undefined && userId !== '') headers.ce_subject = userId;
  return headers;
}

function toSource(envelope: EventEnvelope<object>): string {
  const { namespace, additional_fields } = envelope;
  if (additional_fields === undefined && plainNamespace.test(namespace)) {
    return `/namespaces/${namespace}`;
  }
  // `sourceOf` refuses half of a surrogate pair, which Go services and older records may have.
  const isValid = namespace.isWellFormed();
  return sourceOf(isValid ? envelope : { ...envelope, namespace: namespace.toWellFormed() });
}

/** Returns the text of the time that the event came with as a CloudEvent, if it was kept. */
function originalTimeOf(envelope: EventEnvelope<object>): string | undefined {
  // Most events have none, and the conversion of the whole event takes time.
  const kept = envelope.additional_fields?.cloudevent;
  if (typeof kept !== 'object' || kept === null || !('time' in kept)) return undefined;
  try {
    return toCloudEvent(envelope).time;
  } catch {
    return undefined; // The envelope cannot be a CloudEvent in structured mode.
  }
}

/** Returns the time of the event, or undefined when CloudEvents does not allow the timestamp. */
function toTime(envelope: EventEnvelope<object>): string | undefined {
  const { timestamp } = envelope;
  return toNanoTime(envelope) ?? (anyTime.test(timestamp) ? timestamp : undefined);
}

/**
 * Record headers. They make a record a CloudEvent 1.0 in the binary mode of the Kafka binding: the
 * attributes are in `ce_*`, the whole envelope is the data. Go services ignore headers.
 *
 * | header           | value                                                          |
 * | ---------------- | -------------------------------------------------------------- |
 * | `content-type`   | `application/json`                                             |
 * | `ce_specversion` | `1.0`                                                          |
 * | `ce_id`          | `id`                                                           |
 * | `ce_type`        | `name`                                                         |
 * | `ce_source`      | `/namespaces/<namespace>`, percent-encoded                     |
 * | `ce_time`        | `timestamp`, with nanoseconds if `timestampUnixNano` is given  |
 * | `ce_subject`     | `userId`, if given                                             |
 * | `traceparent`    | W3C trace context, if given                                    |
 */

import { type EventEnvelope, isTraceparent } from '@posthaste/contracts';
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
  const { id, name, namespace, userId } = envelope;
  if (id === '' || name === '') return {};
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: id,
    ce_type: name,
    ce_source: `/namespaces/${toPathSegment(namespace)}`,
  };
  const time = toTime(envelope);
  if (time !== undefined) headers.ce_time = time;
  if (userId !== undefined && userId !== '') headers.ce_subject = userId;
  return headers;
}

function toPathSegment(namespace: string): string {
  if (plainNamespace.test(namespace)) return namespace;
  return encodeURIComponent(namespace.toWellFormed());
}

/** Returns the time of the event, or undefined when CloudEvents does not allow the timestamp. */
function toTime(envelope: EventEnvelope<object>): string | undefined {
  const { timestamp } = envelope;
  return toNanoTime(envelope) ?? (anyTime.test(timestamp) ? timestamp : undefined);
}

/**
 * Record headers. With them a record is a CloudEvent 1.0 in the binary mode of its Kafka binding:
 * attributes in `ce_*`, the whole envelope as its data. Go services do not look at headers.
 *
 * | header           | value                                                          |
 * | ---------------- | -------------------------------------------------------------- |
 * | `content-type`   | `application/json`                                             |
 * | `ce_specversion` | `1.0`                                                          |
 * | `ce_id`          | `id`                                                           |
 * | `ce_type`        | `name`                                                         |
 * | `ce_source`      | `/namespaces/<namespace>`, percent-encoded                     |
 * | `ce_time`        | `timestamp`, with nine digits when `timestampUnixNano` is there |
 * | `ce_subject`     | `userId`, when there is one                                    |
 * | `traceparent`    | W3C trace context, when there is one                           |
 */

import { type EventEnvelope, isTraceparent } from '@posthaste/contracts';

const plainNamespace = /^[\w.'-]*$/;
const wholeSecond = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const anyTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** An envelope without id or name is no CloudEvent: it gets the headers of its trace only. */
export function toHeaders(
  envelope: EventEnvelope<object>,
  traceparent?: string,
): Record<string, string> {
  const headers = toCloudEventHeaders(envelope);
  if (traceparent !== undefined) Object.assign(headers, toTraceHeaders(traceparent));
  return headers;
}

/** A `traceparent` that is not valid is left out: tracing never stops an event. */
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

/** `undefined` when the timestamp is not what CloudEvents takes. */
function toTime({ timestamp, timestampUnixNano }: EventEnvelope<object>): string | undefined {
  const second = readSecond(timestamp);
  if (Number.isNaN(second.unixSeconds)) return anyTime.test(timestamp) ? timestamp : undefined;
  const nano = timestampUnixNano?.toString() ?? '';
  // Both must mean the same second; a foreign service may have set only one of them right.
  const isSame = nano.length > 9 && Number(nano.slice(0, -9)) === second.unixSeconds;
  return isSame ? `${second.withoutZone}.${nano.slice(-9)}Z` : timestamp;
}

interface WholeSecond {
  readonly timestamp: string;
  /** NaN when the timestamp is not of a whole second, in UTC. */
  readonly unixSeconds: number;
  readonly withoutZone: string;
}

/** The one asked for last: events of a busy service share their second by the thousand. */
let lastSecond: WholeSecond = { timestamp: '', unixSeconds: Number.NaN, withoutZone: '' };

function readSecond(timestamp: string): WholeSecond {
  if (timestamp !== lastSecond.timestamp) {
    const isWhole = wholeSecond.test(timestamp);
    const unixSeconds = isWhole ? Date.parse(timestamp) / 1_000 : Number.NaN;
    lastSecond = { timestamp, unixSeconds, withoutZone: timestamp.slice(0, -1) };
  }
  return lastSecond;
}

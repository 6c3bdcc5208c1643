/** Trace of a callback, as headers of W3C Trace Context. */
export interface TraceHeaders {
  readonly traceparent: string;
  /** Vendors' additions to the trace. */
  readonly tracestate?: string | undefined;
}

const wellFormed =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{1,64})?$/;
/** Up to 512 characters: the length that the standard asks everybody to pass on. */
const validTracestate = /^[\x20-\x7e]{1,512}$/;

/**
 * Adds the headers of a trace to those of a callback. Callers may not set these headers themselves;
 * they are stored, shown and sent like the others. Leaves out malformed headers, as the standard
 * demands.
 */
export function withTrace(
  headers: Readonly<Record<string, string>> | undefined,
  trace: TraceHeaders | undefined,
): Readonly<Record<string, string>> | undefined {
  if (!trace || !wellFormed.test(trace.traceparent)) return headers;
  const { traceparent, tracestate = '' } = trace;
  return { ...headers, traceparent, ...(validTracestate.test(tracestate) ? { tracestate } : {}) };
}

/**
 * Returns SQL for `toSpanContext` of @posthaste/contracts. `traceparent` is SQL for a well-formed
 * text or null.
 */
export function spanContextSql(traceparent: string): string {
  const sampled = `(strpos('13579bdf', substr(${traceparent}, 55, 1)) > 0)::int`;
  const span = `substr(${traceparent}, 4, 32) || ':' || substr(${traceparent}, 37, 16)`;
  // The case comes first, because most callbacks have no trace and should not pay for it.
  return `case when ${traceparent} is not null then ${span} || ':0:' || ${sampled} end`;
}

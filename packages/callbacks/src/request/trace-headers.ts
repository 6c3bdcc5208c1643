/** The trace that a callback belongs to, as the headers of W3C Trace Context carry it. */
export interface TraceHeaders {
  readonly traceparent: string;
  /** What vendors added. */
  readonly tracestate?: string | undefined;
}

const wellFormed =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{1,64})?$/;
/** The length that the standard asks everybody to pass on. */
const passedOn = /^[\x20-\x7e]{1,512}$/;

/**
 * A callback's headers with those of its trace, which it may not have itself: they are stored, shown
 * and sent like the others. As the standard has it, what is not well formed is left out.
 */
export function withTrace(
  headers: Readonly<Record<string, string>> | undefined,
  trace: TraceHeaders | undefined,
): Readonly<Record<string, string>> | undefined {
  if (!trace || !wellFormed.test(trace.traceparent)) return headers;
  const { traceparent, tracestate = '' } = trace;
  return { ...headers, traceparent, ...(passedOn.test(tracestate) ? { tracestate } : {}) };
}

/** What `toSpanContext` of @posthaste/contracts gives, in SQL, of a column with well formed texts or null. */
export function spanContextSql(traceparent: string): string {
  const sampled = `(strpos('13579bdf', substr(${traceparent}, 55, 1)) > 0)::int`;
  const span = `substr(${traceparent}, 4, 32) || ':' || substr(${traceparent}, 37, 16)`;
  // Most callbacks have no trace, and shall not pay for it.
  return `case when ${traceparent} is not null then ${span} || ':0:' || ${sampled} end`;
}

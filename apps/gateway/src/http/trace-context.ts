/** Trace of a request, as W3C Trace Context carries it. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Parent of the spans that follow: 16 hexadecimal digits. */
  readonly spanId: string;
  /** True if the caller records this trace. */
  readonly sampled: boolean;
  /** Additions of tracing vendors, passed on unchanged. */
  readonly tracestate?: string;
}

// Versions above 00 may add fields after the flags; the known fields are still read.
const traceparentPattern = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zeroTraceId = '0'.repeat(32);
const zeroSpanId = '0'.repeat(16);

/** Parses `traceparent` and `tracestate`. Returns `undefined` when they carry no valid trace. */
export function parseTraceContext(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  if (traceparent === undefined) return undefined;
  const [, traceId, spanId, flags, rest] = traceparentPattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (traceId === zeroTraceId || spanId === zeroSpanId) return undefined;
  if (rest !== undefined && traceparent.startsWith('00')) return undefined;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, spanId, sampled, ...(tracestate === undefined ? {} : { tracestate }) };
}

/** Returns the `traceparent` header of requests that continue this trace. */
export function toTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;
}

/** Returns both headers of requests that continue this trace. */
export function toTraceHeaders(trace: TraceContext): {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
} {
  return { traceparent: toTraceparent(trace), tracestate: trace.tracestate };
}

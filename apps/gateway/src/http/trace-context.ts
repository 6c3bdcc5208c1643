/** The trace that a request belongs to, as W3C Trace Context carries it. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the span that what happens next is a child of. */
  readonly spanId: string;
  /** Whether somebody records this trace. */
  readonly sampled: boolean;
  /** What vendors added; to be passed on as it came. */
  readonly tracestate?: string;
}

// Versions above 00 may add fields after the flags; what is known of them is read all the same.
const traceparentPattern = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zeroTraceId = '0'.repeat(32);
const zeroSpanId = '0'.repeat(16);

/** Reads `traceparent` and `tracestate`; `undefined` when they carry no valid trace. */
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

/** The `traceparent` header for what happens next. */
export function toTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;
}

/** Both headers for what happens next. */
export function toTraceHeaders(trace: TraceContext): {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
} {
  return { traceparent: toTraceparent(trace), tracestate: trace.tracestate };
}

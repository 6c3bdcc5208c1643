/** Trace context of events: W3C `traceparent` in a header, Jaeger's span context in the envelope. */

const traceparentPattern =
  /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const spanContextPattern = /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})$/i;
const onlyZeros = /^0+$/;

/** True if the text is a W3C `traceparent` that a trace can continue from. */
export function isTraceparent(text: string): boolean {
  const match = traceparentPattern.exec(text);
  return match !== null && !onlyZeros.test(match[1] ?? '') && !onlyZeros.test(match[2] ?? '');
}

/**
 * Converts a `traceparent` to `trace:span:0:flags`, which Jaeger's clients read. Returns `undefined`
 * if it is not a `traceparent`.
 */
export function toSpanContext(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined || !isTraceparent(traceparent)) return undefined;
  const [, trace, span, flags = ''] = traceparentPattern.exec(traceparent) ?? [];
  // Bit 0 means sampled in both; the other bits mean different things.
  return `${trace}:${span}:0:${Number.parseInt(flags, 16) & 1}`;
}

/**
 * Converts a span context, in Jaeger's or W3C's form, to a `traceparent`. Returns `undefined` if it
 * has neither form.
 */
export function toTraceparent(spanContext: string): string | undefined {
  if (isTraceparent(spanContext)) return spanContext;
  const [, trace, span, flags] = spanContextPattern.exec(spanContext) ?? [];
  if (trace === undefined || span === undefined || flags === undefined) return undefined;
  const sampled = Number.parseInt(flags, 16) & 1;
  const traceparent = `00-${pad(trace, 32)}-${pad(span, 16)}-0${sampled}`;
  return isTraceparent(traceparent) ? traceparent : undefined;
}

/** Returns a hexadecimal number in lower case, with zeros in front. */
function pad(hex: string, digits: number): string {
  return hex.toLowerCase().padStart(digits, '0');
}

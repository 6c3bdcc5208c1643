/** Where an event belongs in a trace: W3C text in a header, Jaeger's text in the envelope. */

const traceparentPattern =
  /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const spanContextPattern = /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})$/i;
const onlyZeros = /^0+$/;

/** Whether it is a W3C `traceparent` that a trace can go on from. */
export function isTraceparent(text: string): boolean {
  const match = traceparentPattern.exec(text);
  return match !== null && !onlyZeros.test(match[1] ?? '') && !onlyZeros.test(match[2] ?? '');
}

/** `trace:span:0:flags`, as Jaeger's clients read it; `undefined` when it is no `traceparent`. */
export function toSpanContext(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined || !isTraceparent(traceparent)) return undefined;
  const [, trace, span, flags = ''] = traceparentPattern.exec(traceparent) ?? [];
  // Bit 0 means sampled in both; the other bits mean different things.
  return `${trace}:${span}:0:${Number.parseInt(flags, 16) & 1}`;
}

/** The W3C text of a span context, Jaeger's or W3C's own; `undefined` when it is neither. */
export function toTraceparent(spanContext: string): string | undefined {
  if (isTraceparent(spanContext)) return spanContext;
  const [, trace, span, flags] = spanContextPattern.exec(spanContext) ?? [];
  if (trace === undefined || span === undefined || flags === undefined) return undefined;
  const sampled = Number.parseInt(flags, 16) & 1;
  const traceparent = `00-${pad(trace, 32)}-${pad(span, 16)}-0${sampled}`;
  return isTraceparent(traceparent) ? traceparent : undefined;
}

function pad(hex: string, digits: number): string {
  return hex.toLowerCase().padStart(digits, '0');
}

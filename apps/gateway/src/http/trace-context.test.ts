import { describe, expect, it } from 'vitest';
import { parseTraceContext, toTraceparent } from './trace-context.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('trace context', () => {
  it('is parsed from traceparent and tracestate', () => {
    expect(parseTraceContext(`00-${traceId}-${spanId}-01`, 'a=1')).toEqual({
      traceId,
      spanId,
      sampled: true,
      tracestate: 'a=1',
    });
    expect(parseTraceContext(`00-${traceId}-${spanId}-00`, undefined)?.sampled).toBe(false);
  });

  it('is parsed from later versions too', () => {
    expect(parseTraceContext(`01-${traceId}-${spanId}-03-more`, undefined)?.sampled).toBe(true);
  });

  it.each([
    undefined,
    '',
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
  ])('is undefined for %j', (header) => {
    expect(parseTraceContext(header, undefined)).toBeUndefined();
  });

  it('is written as it was parsed', () => {
    const header = `00-${traceId}-${spanId}-01`;
    const trace = parseTraceContext(header, undefined);
    expect(trace && toTraceparent(trace)).toBe(header);
  });
});

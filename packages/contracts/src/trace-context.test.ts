import { describe, expect, it } from 'vitest';
import { isTraceparent, toSpanContext, toTraceparent } from './trace-context.js';

const recorded = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';
const traceparent = `00-${trace}-${span}-01`;

describe('isTraceparent', () => {
  it.each([traceparent, `00-${trace}-${span}-00`, `01-${trace}-${span}-01-more`])(
    'takes %s',
    (text) => {
      expect(isTraceparent(text)).toBe(true);
    },
  );

  it.each([
    '',
    traceparent.toUpperCase(),
    `ff-${trace}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-${span}`,
    `00-${trace}-${span}-01more`,
  ])('refuses %j', (text) => {
    expect(isTraceparent(text)).toBe(false);
  });
});

describe('span contexts', () => {
  it("are a traceparent in Jaeger's form", () => {
    expect(toSpanContext(traceparent)).toBe(`${trace}:${span}:0:1`);
    expect(toSpanContext(`00-${trace}-${span}-02`)).toBe(`${trace}:${span}:0:0`);
    expect(toSpanContext('nonsense')).toBeUndefined();
  });

  it('are converted back to a traceparent', () => {
    expect(toTraceparent(`${trace}:${span}:0:1`)).toBe(traceparent);
    expect(toTraceparent(traceparent)).toBe(traceparent);
  });

  it('may be short, as older clients of Jaeger write them', () => {
    expect(toTraceparent('A3CE929D0E0E4736:f067aa0ba902b7:1:3')).toBe(
      `00-0000000000000000a3ce929d0e0e4736-${span}-01`,
    );
  });

  it.each(['', 'text', `${trace}:${span}`, `${trace}:0:0:1`, '0:1:0:1', `${trace}:${span}:0:xyz`])(
    'may mean nothing: %j',
    (text) => {
      expect(toTraceparent(text)).toBeUndefined();
    },
  );
});

it.each([
  [recorded, '0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:0'],
  [recorded.replace(/00$/, '03'), '0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1'],
  [recorded.replace(/b7a\w+/, '0'.repeat(16)), undefined],
  [undefined, undefined],
])('is %s as the span context %s', (header, spanContext) => {
  expect(toSpanContext(header)).toBe(spanContext);
});

import { createEnvelope, fromCloudEvent } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { describeEvent } from './event-description.js';

const position = {
  topic: 'orders',
  partition: 2,
  offset: 15,
  appendedAt: '2026-01-02T03:04:05.678Z',
};

it('describes an event in one line, with control characters escaped', () => {
  const payload = { big: 9_007_199_254_740_993n, text: '\u009b31m' };
  const event = createEnvelope({ name: 'made', namespace: '', payload });
  expect(describeEvent({ ...position, key: 'a\u001b[2J\nb', event })).toBe(
    '2026-01-02T03:04:05.678Z  orders/2@15  made  a\\u001b[2J\\u000ab  {"big":9007199254740993,"text":"\\u009b31m"}',
  );
});

it('describes an event that came as a CloudEvent by its type and its data', () => {
  const base = { specversion: '1.0', id: '1', source: '/x', type: '/a b' };
  const texts = [{ data: [1] }, { data: null }, { data_base64: 'AA==' }, {}].map((data) => {
    const event = fromCloudEvent({ ...base, ...data });
    return describeEvent({ ...position, key: 'k', event })
      .split('  ')
      .slice(2)
      .join('  ');
  });
  expect(texts).toEqual(['/a b  k  [1]', '/a b  k  null', '/a b  k  "AA=="', '/a b  k  {}']);
});

it('describes a record that is not an event by its value', () => {
  const value = { text: null, base64: '/wA=' };
  expect(describeEvent({ ...position, key: null, event: null, value })).toBe(
    '2026-01-02T03:04:05.678Z  orders/2@15  (no event)  -  /wA=',
  );
});

import { expect, it } from 'vitest';
import { createEvent } from './bench-event.js';

it.each(['', '123456789012345'])('a payload has 500 bytes, sent at "%s"', (sentAtNs) => {
  const { payload, value } = createEvent(sentAtNs);
  expect(value).toHaveLength(500);
  expect(JSON.parse(String(value))).toEqual({ ...payload, sentAtNs });
});

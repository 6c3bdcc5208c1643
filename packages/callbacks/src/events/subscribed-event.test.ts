import { createEnvelope, JsonNumber } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { toEventBody } from './subscribed-event.js';

it('is the envelope in the order of the wire, exact, without what the event lacks', () => {
  const envelope = createEnvelope({
    payload: {
      order: 9007199254740993n,
      price: new JsonNumber('1.50') as unknown as number,
      text: 'größer',
    },
    namespace: 'shop',
    name: 'order.created',
    id: '0197e5a0000070008000000000000001',
    timestampUnixNano: 1767323045000000001n,
  });
  const body = toEventBody({ ...envelope, unknownKeys: { extra: 1, name: 'other' } }).toString();
  expect(body).toBe(
    '{"id":"0197e5a0000070008000000000000001","name":"order.created","namespace":"shop",' +
      '"timestamp":"2026-01-02T03:04:05Z","timestampUnixNano":1767323045000000001,"version":1,' +
      '"payload":{"order":9007199254740993,"price":1.50,"text":"größer"},"extra":1}',
  );
});

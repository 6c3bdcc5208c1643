import {
  fromBinaryCloudEvent,
  fromCloudEvent,
  fromHttpHeaders,
  toBinaryCloudEvent,
  toCloudEvent,
} from '@posthaste/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { headerFaults } from '../request/header-rules.js';
import { createEventMessages, type EventMessage } from './event-message.js';
import type { SubscribedEvent } from './subscribed-event.js';

const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a', '事件 %41"', '%', ' a ', 'x'.repeat(300)),
  )
  .filter((value) => value.isWellFormed() && !/\p{Cc}/u.test(value));
const filled = text.filter((value) => value !== '');
const contentType = fc.constantFrom(
  ...[
    'application/json',
    'text/json; charset=utf-8',
    'application/x+json',
    'text/plain',
    'image/png',
  ],
  ...[
    'text/plain; charset=latin1',
    'application/xml',
    'application/cloudevents+json',
    'größe',
    'a b',
  ],
);
const base64 = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64'));
const data = fc.oneof(
  fc.constant({}),
  fc.jsonValue().map((value) => ({ data: value })),
  base64.map((value) => ({ data_base64: value })),
);
const extensions = fc.dictionary(
  fc.stringMatching(/^ext[a-z0-9]{1,8}$/),
  fc.oneof(text, fc.boolean(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  { maxKeys: 80, noNullPrototype: true },
);
const anyEvent = fc
  .tuple(
    fc.record(
      {
        specversion: fc.constant('1.0'),
        id: filled,
        source: filled,
        type: filled,
        subject: filled,
        datacontenttype: contentType,
      },
      { requiredKeys: ['specversion', 'id', 'source', 'type'], noNullPrototype: true },
    ),
    extensions,
    data,
  )
  .map((parts): Readonly<Record<string, unknown>> => Object.assign({}, ...parts));

function subscribed(event: unknown): SubscribedEvent {
  return { topic: 'orders', application: '', envelope: fromCloudEvent(event), key: undefined };
}

function readBinary({ headers, body }: EventMessage): unknown {
  const event = fromBinaryCloudEvent({ ...fromHttpHeaders(headers), body });
  return toBinaryCloudEvent(event);
}

it('is the same CloudEvent in every form', () => {
  fc.assert(
    fc.property(anyEvent, (given) => {
      const event = subscribed(given);
      const messageOf = createEventMessages(event);
      const structured = messageOf('cloudevents-structured');
      expect(JSON.parse(String(structured.body))).toEqual(JSON.parse(JSON.stringify(given)));
      const message = messageOf('cloudevents-binary');
      // What headers cannot hold comes in structured mode.
      if (message.headers['ce-id'] === undefined) expect(message).toEqual(structured);
      else expect(readBinary(message)).toEqual(toBinaryCloudEvent(toCloudEvent(event.envelope)));
      for (const { headers } of [structured, message]) expect(headerFaults(headers)).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

it('is written once for all endpoints that ask for a form', () => {
  const messageOf = createEventMessages(
    subscribed({ specversion: '1.0', id: '1', source: '/s', type: 't', data: { n: 1 } }),
  );
  for (const format of ['envelope', 'cloudevents-structured', 'cloudevents-binary'] as const) {
    expect(messageOf(format)).toBe(messageOf(format));
  }
});

import { createEnvelope, JsonNumber, type JsonObject } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { type EventOrder, isEventOrder, toEventQueue } from './event-order.js';

function event(payload: JsonObject, key?: string): SubscribedEvent {
  return {
    topic: 'orders',
    application: '',
    envelope: createEnvelope({ name: 'order.created', namespace: 'shop', userId: 'u1', payload }),
    key,
  };
}

describe('the order of an endpoint', () => {
  it.each(['none', 'key', 'namespace', 'userId', '/a', '/a/b~1c/~0/0', '/a//'])(
    '%s is valid',
    (text) => {
      expect(isEventOrder(text)).toBe(true);
    },
  );

  it.each(['', 'Key', 'payload', 'a/b', '/~2', '/a\u0000', `/${'x'.repeat(256)}`])(
    '%j is not valid',
    (text) => {
      expect(isEventOrder(text)).toBe(false);
    },
  );

  it.each<[EventOrder, string | undefined]>([
    ['none', undefined],
    ['key', 'endpoint:e:k'],
    ['namespace', 'endpoint:e:shop'],
    ['userId', 'endpoint:e:u1'],
    ['/id', 'endpoint:e:7'],
    ['/big', 'endpoint:e:9007199254740993'],
    ['/parsed', 'endpoint:e:9007199254740993'],
    ['/rewritten', 'endpoint:e:1.5'],
    ['/flag', 'endpoint:e:false'],
    ['/items/1/sku', 'endpoint:e:b'],
    ['/a~1b/~0', 'endpoint:e:x'],
    ['/missing', undefined],
    ['/nothing', undefined],
    ['/empty', undefined],
    ['/items', undefined],
    ['/id/deeper', undefined],
    ['/parsed/text', undefined],
    ['/constructor', undefined],
    ['/items/length', undefined],
  ])('by %s gives the queue %s', (order, queue) => {
    const payload = {
      id: 7,
      big: 9007199254740993n,
      // As numbers come from the log.
      parsed: new JsonNumber('9007199254740993') as unknown as number,
      rewritten: new JsonNumber('1.50') as unknown as number,
      flag: false,
      items: [{ sku: 'a' }, { sku: 'b' }],
      'a/b': { '~': 'x' },
      nothing: null,
      empty: '',
    };
    expect(toEventQueue('e', order, event(payload, 'k'))).toBe(queue);
  });

  it('hashes long and unprintable values', () => {
    const names = ['x'.repeat(1_000), 'x'.repeat(1_001), 'a\u0000', 'a\n', '\ud800'].map((key) =>
      toEventQueue('e', 'key', event({}, key)),
    );
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^endpoint:e:sha256:[0-9a-f]{64}$/);
  });

  it('is none without a key', () => {
    expect(toEventQueue('e', 'key', event({}))).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import {
  eventPatternFault,
  matchesEventName,
  toEventNameRegExp,
  toEventPattern,
} from './event-name-pattern.js';

describe('event patterns', () => {
  it.each([
    ['order.created', 'order.created', true],
    ['order.created', 'order.created.late', false],
    ['order.created', 'order', false],
    ['order.created', 'Order.created', false],
    ['order.*', 'order.created', true],
    ['order.*', 'order', false],
    ['order.*', 'order.item.new', false],
    ['*.created', 'order.created', true],
    ['*.created', 'a.order.created', false],
    ['*.*', 'order.created', true],
    ['*', 'order', true],
    ['*', 'order.created', false],
    ['order.**', 'order.created', true],
    ['order.**', 'order.item.new', true],
    ['order.**', 'order', false],
    ['order.**', 'orders.created', false],
    ['*.item.**', 'order.item.new', true],
    ['*.item.**', 'order.item', false],
    ['**', 'order', true],
    ['**', 'order.item.new', true],
    ["user's_log-in", "user's_log-in", true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(eventPatternFault(pattern)).toBeUndefined();
    expect(matchesEventName(toEventPattern(pattern), name.split('.'))).toBe(expected);
    expect(new RegExp(toEventNameRegExp(toEventPattern(pattern))).test(name)).toBe(expected);
  });

  it('have an exact name if they have no wildcard', () => {
    expect(toEventPattern('order.created').exactName).toBe('order.created');
    expect(toEventPattern('order.*').exactName).toBeUndefined();
    expect(toEventPattern('order.**').exactName).toBeUndefined();
  });

  it.each([
    '',
    '.',
    'order.',
    '.order',
    'a..b',
    'order.cre*',
    '**.created',
    'a.**.b',
    '***',
    'a b',
    'a/b',
    'größe',
    'a\n',
    'x'.repeat(257),
  ])('%j is refused', (pattern) => {
    expect(eventPatternFault(pattern)).toBeTypeOf('string');
  });
});

import fc from 'fast-check';
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
    ['https://example.com/a b?c=(d)', 'https://example.com/a b?c=(d)', true],
    ['https://example.*', 'https://example.com/x', true],
    ['https://example.*', 'https://example.com/x.y', false],
    ['/a b/事件', '/a b/事件', true],
    ['/a b/事件.**', '/a b/事件.😀.x', true],
    ['größe', 'groesse', false],
    ['a+', 'aa', false],
    ['a+', 'a+', true],
    ['a|b', 'a', false],
    ['[ab]', 'a', false],
    ['a{2}', 'aa', false],
    ['^a$', '^a$', true],
    ['(?i)a', 'A', false],
    ['(?i)a', '(?i)a', true],
    ['\\d', '5', false],
    ['\\d', '\\d', true],
    ['#a # b', '#a # b', true],
    ['a..b', 'a..b', true],
    ['a..b', 'a.b', false],
    ['a.*.b', 'a..b', true],
    ['.', '.', true],
    ['a.*', 'a.', true],
    ['a.**', 'a.', true],
    ['**', '..', true],
    ['*.b', 'a*.b', true],
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
    'order.cre*',
    '*created',
    'a.b*c.d',
    '**.created',
    'a.**.b',
    '***',
    'a\n',
    'a\0b',
    'a\u0085',
    'a\ud800',
    'x'.repeat(1_025),
  ])('%j is refused', (pattern) => {
    expect(eventPatternFault(pattern)).toBeTypeOf('string');
  });

  it('without a wildcard match exactly their own text, whatever characters it has', () => {
    const character = fc.oneof(
      fc.constantFrom(...'.\\^$+?()[]{}|-/:#=!<>&,~@% \'"ab'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    );
    const name = fc
      .array(character, { minLength: 1, maxLength: 6 })
      .map((characters) => characters.join(''))
      .filter((text) => !text.includes('*') && eventPatternFault(text) === undefined);
    fc.assert(
      fc.property(name, name, (pattern, other) => {
        const regExp = toEventNameRegExp(toEventPattern(pattern));
        for (const form of [new RegExp(regExp), new RegExp(regExp, 'u')]) {
          expect(form.test(pattern)).toBe(true);
          expect(form.test(other)).toBe(pattern === other);
        }
        expect(matchesEventName(toEventPattern(pattern), pattern.split('.'))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

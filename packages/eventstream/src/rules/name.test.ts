import { describe, expect, it } from 'vitest';
import { isName } from './name.js';

describe('isName', () => {
  it.each([
    'a',
    '7',
    'topic',
    'Topic-1',
    'player_login',
    "o'neill",
    'studio.dev.topic-123',
    '3671efef-876b-4133-897d-79134e936cd9',
    'x'.repeat(256),
  ])('takes %s', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each([
    '',
    '.',
    '..',
    '-a',
    'topic-',
    'topic.',
    'a--b',
    'a._b',
    'topic!@#',
    'a b',
    'a,b',
    'a/b',
    'é',
    'a\n',
    'x'.repeat(257),
    undefined,
    null,
    7,
    ['a'],
  ])('refuses %j', (name) => {
    expect(isName(name)).toBe(false);
  });

  it('answers at once to a text made to let patterns backtrack', () => {
    const started = performance.now();
    expect(isName(`${'a.'.repeat(127)}a!`)).toBe(false);
    expect(isName(`${'a'.repeat(255)}!`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(50);
  });
});

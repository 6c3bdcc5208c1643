import { describe, expect, it } from 'vitest';
import { toLocalPath } from './local-path.js';

describe('the path after a sign-in', () => {
  it.each(['/', '/applications/shop?tab=keys#new', '/a//b', '/%2f%2fevil.example'])(
    'may be %j',
    (path) => {
      expect(toLocalPath(path)).toBe(path);
    },
  );

  it.each([
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/.//evil.example',
    '/x/..//evil.example',
    '/%2e//evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    'https://evil.example/',
    'javascript:alert(1)',
    'evil.example',
    '@evil.example',
    '',
    ' /',
    '/ä',
    `/${'a'.repeat(2_000)}`,
  ])('cannot be %j', (path) => {
    expect(toLocalPath(path)).toBeUndefined();
  });
});

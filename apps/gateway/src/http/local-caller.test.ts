import { describe, expect, it } from 'vitest';
import { createLocalCallerCheck } from './local-caller.js';

const check = createLocalCallerCheck({
  allowedHosts: ['Posthaste.Local', 'fd00::7'],
  allowedOrigins: ['https://app.example.com'],
});

describe('the check of the Host header', () => {
  it.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:8080',
    'localhost.:8080',
    '127.0.0.1',
    '127.0.0.1:8080',
    '[::1]',
    '[::1]:8080',
    'posthaste.local:8080',
    '[fd00::7]:8080',
  ])('accepts %s', (host) => {
    expect(check(host, undefined)).toBeUndefined();
  });

  it.each([
    undefined,
    '',
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1:8080:8080',
    'user@localhost',
    '0.0.0.0:8080',
    '[::]',
  ])('refuses %s', (host) => {
    expect(check(host, undefined)).toBe('host');
  });
});

describe('the check of the Origin header', () => {
  it.each(['http://localhost:8080', 'https://localhost:8080', 'https://app.example.com'])(
    'accepts pages of %s',
    (origin) => {
      expect(check('localhost:8080', origin)).toBeUndefined();
    },
  );

  it.each([
    'http://evil.example',
    'http://localhost:3000',
    'http://localhost',
    'null',
    'https://app.example.com.evil.example',
  ])('refuses pages of %s', (origin) => {
    expect(check('localhost:8080', origin)).toBe('origin');
  });
});

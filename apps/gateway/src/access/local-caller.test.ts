import { describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
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

describe('a browser', () => {
  const routes = [
    (app: App): void => {
      app.get(
        '/things',
        { config: { scope: 'callbacks:read', application: 'caller' } },
        () => ({}),
      );
      app.post(
        '/things',
        { config: { scope: 'callbacks:write', application: 'caller', audit: 'none' } },
        () => ({}),
      );
    },
  ];
  const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  const statusOf = async (headers: Record<string, string>, method: 'GET' | 'POST' = 'GET') => {
    const { app } = await testServer(
      { POSTHASTE_CORS_ORIGINS: 'https://app.example.com' },
      { routes },
    );
    // The first makes the Host header known, which has a way of its own.
    await app.inject({ url: '/things', headers: { host: 'localhost' } });
    const answer = await app.inject({
      method,
      url: '/things',
      headers: { host: 'localhost', ...headers },
    });
    return answer.statusCode;
  };

  it.each(['cross-site', 'same-site', 'anything'])(
    'is refused what a page of another origin loads (%s)',
    async (site) => {
      const headers = { 'sec-fetch-site': site };
      expect(await statusOf(headers)).toBe(403);
      expect(await statusOf({ ...headers, 'sec-fetch-mode': 'no-cors' })).toBe(403);
      expect(await statusOf({ ...page, ...headers, 'sec-fetch-dest': 'iframe' })).toBe(403);
      expect(await statusOf({ ...page, ...headers }, 'POST')).toBe(403);
    },
  );

  it.each(['same-origin', 'none'])('is answered otherwise (%s)', async (site) => {
    expect(await statusOf({ 'sec-fetch-site': site })).toBe(200);
  });

  it('may follow a link', async () => {
    expect(await statusOf({ ...page, 'sec-fetch-site': 'cross-site' })).toBe(200);
  });

  it('may show pages of allowed origins', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' };
    expect(await statusOf(headers, 'POST')).toBe(200);
  });
});

it('says on every answer that pages of other origins may not load it', async () => {
  const { app } = await testServer();
  for (const url of ['/health/live', '/nothing', '/docs', '/openapi.json']) {
    const { headers } = await app.inject({ url, headers: { host: 'localhost' } });
    expect(headers['cross-origin-resource-policy']).toBe('same-origin');
  }
});

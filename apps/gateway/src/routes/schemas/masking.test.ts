import { expect, it } from 'vitest';
import { maskCredentials, maskQuery } from './masking.js';

it.each([
  'authorization',
  'Proxy-Authorization',
  'cookie',
  'x-api-key',
  'apikey',
  'x-auth-token',
  'x_client_secret',
  'x-shop-password',
  'x-hub-signature',
])('masks the value of the header %s', (name) => {
  expect(maskCredentials({ [name]: 'v' })).toEqual({ [name]: '***' });
});

it.each(['content-type', 'x-shop', 'x-token-count', 'accept', 'x-monkey', 'user-agent'])(
  'shows the value of the header %s',
  (name) => {
    expect(maskCredentials({ [name]: 'v' })).toEqual({ [name]: 'v' });
  },
);

it('masks the query of a URL, and nothing else', () => {
  expect(maskQuery('https://example.com/a?key=1')).toBe('https://example.com/a?***');
  expect(maskQuery('https://example.com/a')).toBe('https://example.com/a');
});

import { expect, it } from 'vitest';
import { findAuthMode } from './auth-modes.js';

it('finds the mode that the headers mean', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln';
  expect(findAuthMode({})).toBeUndefined();
  expect(findAuthMode({ authorization: '' })).toBeUndefined();
  expect(findAuthMode({ 'x-api-key': '' })).toBe('API_KEY');
  expect(findAuthMode({ authorization: jwt })).toBe('OPENID_CONNECT');
  expect(findAuthMode({ authorization: `Bearer ${jwt}` })).toBe('OPENID_CONNECT');
  expect(findAuthMode({ authorization: 'custom-authorized' })).toBe('AWS_LAMBDA');
  expect(findAuthMode({ authorization: 'AWS4-HMAC-SHA256 Credential=a' })).toBe('AWS_IAM');
});

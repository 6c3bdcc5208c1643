import { parseChannel } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { createApiKeyAuthorizer } from './api-key.js';
import type { AuthRequest } from './authorizer.js';

const withKey = (key: string): AuthRequest => ({
  operation: 'connect',
  headers: { 'x-api-key': key },
  body: '{}',
});

it('accepts any text that is configured as a key, with one identity for each', () => {
  const { accepts, authorize } = createApiKeyAuthorizer([
    'da2-abcdef',
    'päss wörd',
    { key: 'k', id: 'mine', realm: 'shop', expiresAt: 5 },
  ]);
  const first = authorize(withKey('da2-abcdef'));
  expect(authorize(withKey('da2-abcdef'))).toBe(first);
  expect(authorize(withKey('päss wörd'))).not.toBe(first);
  expect(authorize(withKey('k'))).toEqual({
    mode: 'API_KEY',
    id: 'mine',
    realm: 'shop',
    expiresAt: 5,
  });
  expect(JSON.stringify(first)).not.toContain('da2-abcdef');
  for (const wrong of ['', 'da2-abcde', 'da2-abcdeg', 'DA2-ABCDEF', ' da2-abcdef']) {
    expect(() => authorize(withKey(wrong))).toThrow(
      expect.objectContaining({ errorType: 'UnauthorizedException', errorCode: 401 }),
    );
  }
  expect(accepts({ 'x-api-key': '' })).toBe(true);
  expect(accepts({ authorization: 'k' })).toBe(false);
});

it('keeps the channels that a key is for', async () => {
  const channel = parseChannel('/default/room');
  if (channel === undefined) throw new Error('no channel');
  const mayUse = (operation: string): boolean => operation === 'subscribe';
  const identity = await createApiKeyAuthorizer([{ key: 'k', mayUse }]).authorize(withKey('k'));
  expect(identity.mayUse?.('publish', channel)).toBe(false);
  expect(identity.mayUse?.('subscribe', channel)).toBe(true);
});

it('refuses an empty key in its list', () => {
  expect(() => createApiKeyAuthorizer([''])).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  );
});

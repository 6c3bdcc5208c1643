import { createHash, hash, randomBytes } from 'node:crypto';
import type { ChannelPath } from '@posthaste/contracts';
import { PlatformError } from '@posthaste/contracts';
import { unauthorized } from './auth-modes.js';
import type { Authorizer, Identity } from './authorizer.js';

/** API key with what it stands for. */
export interface ApiKey {
  /** Any text: what clients send as `x-api-key`. */
  readonly key: string;
  /** Id of the identity. Default: 16 hex digits of the key's SHA-256. */
  readonly id?: string | undefined;
  /** Default `''`. */
  readonly realm?: string | undefined;
  /** End of the key, in ms since 1970. Default: never. */
  readonly expiresAt?: number | undefined;
  /** True if the key allows the operation on the channel. Default: any. */
  readonly mayUse?:
    | ((operation: 'subscribe' | 'publish', channel: ChannelPath) => boolean)
    | undefined;
}

/**
 * Creates the authorizer of a fixed list of API keys. An unknown key takes as long as a known one:
 * keys are found by a digest that nobody outside can compute.
 *
 * @param keys texts, or keys with what they stand for
 * @throws PlatformError `OPTION_INVALID` for an empty key
 */
export function createApiKeyAuthorizer(keys: readonly (string | ApiKey)[]): Authorizer {
  const secret = randomBytes(32).toString('hex');
  // No HMAC, which costs every operation several times as much: digests are shown to nobody.
  const digest = (key: string): string => hash('sha256', secret + key, 'base64');
  const identities = new Map<string, Identity>();
  for (const each of keys) {
    const apiKey = typeof each === 'string' ? { key: each } : each;
    if (apiKey.key === '') throw new PlatformError('OPTION_INVALID', 'an API key is empty');
    identities.set(digest(apiKey.key), toIdentity(apiKey));
  }
  return {
    mode: 'API_KEY',
    accepts: (headers) => headers['x-api-key'] !== undefined,
    authorize: ({ headers }) => {
      const identity = identities.get(digest(headers['x-api-key'] ?? ''));
      if (identity === undefined) throw unauthorized();
      return identity;
    },
  };
}

function toIdentity({ key, id, realm = '', expiresAt, mayUse }: ApiKey): Identity {
  return {
    mode: 'API_KEY',
    id: id ?? createHash('sha256').update(key).digest('hex').slice(0, 16),
    realm,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(mayUse === undefined ? {} : { mayUse }),
  };
}

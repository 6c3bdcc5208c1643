import { coversApplications, PlatformError } from '@posthaste/contracts';
import type { Caller } from '../caller.js';
import { coversChannels } from '../channels.js';
import { grants } from '../scopes.js';
import type { KeyRequest } from './api-keys.js';

/** Request for a key with nothing left open. */
type DelegatedKey = { readonly [Part in keyof KeyRequest]-?: Exclude<KeyRequest[Part], undefined> };

/**
 * Returns the key that a caller may create for a request: without applications, channels or an end
 * of its own, it has those of the caller.
 * @throws PlatformError `KEY_EXCEEDS_CREATOR` when it could do more than the caller, or for longer
 */
export function toDelegatedKey(
  request: KeyRequest,
  creator: Pick<Caller, 'scopes' | 'applications' | 'channels' | 'expiresAt'>,
): DelegatedKey {
  const { name, scopes, applications = creator.applications } = request;
  const { expiresAt = creator.expiresAt, channels = creator.channels ?? null } = request;
  const missing = scopes.find((scope) => !grants(creator.scopes, scope));
  if (missing !== undefined) throw exceeds(`the scope ${missing}`);
  if (!coversApplications(creator.applications, applications)) {
    throw exceeds('applications that the caller does not have');
  }
  if (!coversChannels(creator.channels ?? null, channels)) {
    throw exceeds('realtime channels that the caller does not have');
  }
  if (isLater(expiresAt, creator.expiresAt)) {
    throw exceeds(`an end after that of the caller, ${creator.expiresAt?.toISOString()}`);
  }
  return { name, scopes, applications, channels, expiresAt };
}

/** True if a key that ends at `one` lasts longer than one that ends at `other`; null is never. */
function isLater(one: Date | null, other: Date | null): boolean {
  return other !== null && (one === null || one > other);
}

function exceeds(what: string): PlatformError {
  return new PlatformError('KEY_EXCEEDS_CREATOR', `the new key would have ${what}`);
}

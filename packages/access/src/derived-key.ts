import { hkdfSync } from 'node:crypto';

/** Use of a key that is derived from the platform's secret key. Each has a key of its own. */
export type KeyPurpose = 'short-lived tokens' | 'sign-in cookies';

/** Derives a key of 32 bytes from the platform's secret key (HKDF, RFC 5869). */
export function deriveKey(secretKey: Uint8Array, purpose: KeyPurpose): Buffer {
  return Buffer.from(hkdfSync('sha256', secretKey, '', `posthaste access: ${purpose}`, 32));
}

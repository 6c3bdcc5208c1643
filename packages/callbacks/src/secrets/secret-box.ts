import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { PlatformError } from '@posthaste/contracts';

/**
 * Encryption of texts for storage, with AES-256-GCM.
 *
 * A sealed text is `key id (1 byte) | nonce (12) | ciphertext | tag (16)`. The key id is derived
 * from the master key, so keys need no configured ids. It selects the keys to try.
 */
export interface SecretBox {
  /** Encrypts a text for an owner. The owner is not stored, but needed to open the text again. */
  seal(text: string, owner: string): Buffer;
  /**
   * Decrypts a text.
   * @throws PlatformError `SECRET_UNREADABLE` when it was sealed with another master key or for
   *   another owner, or was changed
   */
  open(sealed: Uint8Array, owner: string): string;
}

const algorithm = 'aes-256-gcm';
const masterKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + nonceBytes;
const hexKey = /^[0-9a-f]{64}$/i;
const base64Key = /^[A-Za-z0-9+/_-]{43}=?$/;

/**
 * Creates a box that seals with `masterKey`, and opens what was sealed with it or one of `oldKeys`.
 * @throws PlatformError `OPTION_INVALID` when a key is not of 32 bytes
 */
export function createSecretBox(
  masterKey: Uint8Array,
  oldKeys: readonly Uint8Array[] = [],
): SecretBox {
  const keys = [masterKey, ...oldKeys].map((key) => ({ key, id: keyId(key) }));
  return {
    seal: (text, owner) => seal(masterKey, text, owner),
    open(sealed, owner) {
      // A key id is one byte, so several keys may have the same: each of them is tried.
      for (const { key, id } of keys) {
        const text = id === sealed[0] ? tryOpen(key, sealed, owner) : undefined;
        if (text !== undefined) return text;
      }
      throw new PlatformError('SECRET_UNREADABLE', 'none of the master keys can open the secret');
    },
  };
}

/**
 * Parses a master key: 32 bytes as hex, base64 or base64url. White space around it is ignored.
 * @throws PlatformError `OPTION_INVALID`; the message does not repeat the text
 */
export function parseMasterKey(text: string): Buffer {
  const trimmed = text.trim();
  if (hexKey.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (base64Key.test(trimmed)) return Buffer.from(trimmed, 'base64');
  throw new PlatformError('OPTION_INVALID', 'a master key must be 32 bytes, as hex or base64');
}

function keyId(key: Uint8Array): number {
  if (key.length !== masterKeyBytes) {
    const message = `a master key must be ${masterKeyBytes} bytes, not ${key.length}`;
    throw new PlatformError('OPTION_INVALID', message);
  }
  return createHash('sha256').update('posthaste master key').update(key).digest().readUInt8();
}

function seal(key: Uint8Array, text: string, owner: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce);
  cipher.setAAD(Buffer.from(owner));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(keyId(key)), nonce, ciphertext, cipher.getAuthTag()]);
}

function tryOpen(key: Uint8Array, sealed: Uint8Array, owner: string): string | undefined {
  if (sealed.length < headBytes + tagBytes) return undefined;
  const nonce = sealed.subarray(1, headBytes);
  // The length is fixed, so that a tag that was cut short is not accepted.
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(owner));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const text = decipher.update(sealed.subarray(headBytes, sealed.length - tagBytes));
  try {
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    // Another key, another owner, or a changed text: GCM does not say which.
    return undefined;
  }
}

import { readClaim } from './role-mapping.js';
import { signInFailed } from './sign-in-error.js';

/** Longest name and e-mail address of a person that are kept, in characters. */
const maxTextLength = 256;

/** Somebody whom the provider has identified. */
export interface Identity {
  readonly issuer: string;
  /** Id of the person at the provider. */
  readonly subject: string;
  readonly name: string;
  readonly email: string | null;
  /** Values of the roles claim. */
  readonly roles: readonly string[];
}

/** Claims about a person. Their types are not known before they are checked. */
export interface Claims {
  readonly [name: string]: unknown;
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly azp?: unknown;
  readonly name?: unknown;
  readonly preferred_username?: unknown;
  readonly email?: unknown;
  readonly email_verified?: unknown;
}

/** Returns the person that these claims are about. @throws PlatformError `SIGN_IN_FAILED` */
export function toIdentity(claims: Claims, rolesClaim: string): Identity {
  const subject = String(claims.sub);
  // Its form in OpenID Connect Core, section 2. It is a key in a table.
  if (!/^[\x20-\x7e]{1,255}$/.test(subject)) throw signInFailed('its token has a wrong subject');
  const email = textOf(claims.email);
  return {
    issuer: String(claims.iss),
    subject,
    name: textOf(claims.name) ?? textOf(claims.preferred_username) ?? email ?? subject,
    // An address that the provider has not confirmed may belong to somebody else.
    email: claims.email_verified === false ? null : (email ?? null),
    roles: readClaim(claims, rolesClaim) ?? [],
  };
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  // Shown to people and in logs.
  const text = value.replace(/[\p{Cc}\p{Cf}]/gu, '').trim();
  return text === '' ? undefined : text.slice(0, maxTextLength);
}

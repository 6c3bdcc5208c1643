import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';

/** Key pair of a provider. */
export interface OidcKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  /** Public part, as it is published. */
  readonly jwk: JWK;
  /** Public part in PEM: what an attacker takes for the secret of HS256. */
  readonly pem: string;
}

/** Generates a key pair. Default: `ES256`, which is fast to make. */
export async function createOidcKey(kid: string, alg = 'ES256'): Promise<OidcKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, privateKey, jwk, pem: await exportSPKI(publicKey) };
}

/** Signs an ID token with a key, or with another secret and algorithm. */
export function signIdToken(
  claims: Readonly<Record<string, unknown>>,
  key: OidcKey,
  forged: { readonly alg?: string; readonly secret?: Uint8Array } = {},
): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: forged.alg ?? key.alg, kid: key.kid })
    .sign(forged.secret ?? key.privateKey);
}

/** Returns an unsigned token, with the algorithm `none`. */
export function unsignedIdToken(claims: Readonly<Record<string, unknown>>): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode(claims)}.`;
}

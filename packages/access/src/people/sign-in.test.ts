import { createAddressGuard, createEgress, type Egress } from '@posthaste/egress';
import { type Database, migrate, openEmbedded } from '@posthaste/postgres';
import {
  createOidcKey,
  type OidcProvider,
  signIdToken,
  startOidcProvider,
  unsignedIdToken,
} from '@posthaste/testbed';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accessMigrations } from '../migrations.js';
import { IdentityProvider, type IdentityProviderOptions } from './identity-provider.js';
import { parseRoleRule } from './role-mapping.js';
import { Sessions } from './sessions.js';
import { SignIn, type SignInOptions } from './sign-in.js';

const sessionOptions = { cookieName: 'session', lengthMs: 3_600_000, idleTimeoutMs: 600_000 };
const redirectUri = 'https://events.example.com/v1/sign-in/callback';
const client = { id: 'posthaste', secret: 'a secret & more: 100%', redirectUri };
const secretKey = Buffer.alloc(32, 3);
const failed = expect.objectContaining({ code: 'SIGN_IN_FAILED' });
const unavailable = expect.objectContaining({ code: 'IDENTITY_PROVIDER_UNAVAILABLE' });

let db: Database;
let http: Egress;
let provider: OidcProvider;

beforeAll(async () => {
  db = await openEmbedded();
  await migrate(db, [accessMigrations]);
  http = createEgress({ guard: createAddressGuard({ allow: ['127.0.0.0/8'] }) });
});

afterAll(async () => {
  await http.close();
  await db.close();
});

beforeEach(async () => {
  provider = await startOidcProvider(client);
  provider.person = { sub: 'anna', name: 'Anna', email: 'anna@example.com', groups: ['team'] };
});

afterEach(() => provider.close());

function createProvider(options: Partial<IdentityProviderOptions> = {}): IdentityProvider {
  return new IdentityProvider({
    ...{ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret },
    ...{ scopes: ['openid'], rolesClaim: 'groups', redirectUri, http },
    ...options,
  });
}

function createSignIn(options: Partial<SignInOptions> = {}): SignIn {
  return new SignIn({
    provider: createProvider(),
    sessions: new Sessions(db, sessionOptions),
    rules: [parseRoleRule('team=operator:shop')],
    secretKey,
    ...options,
  });
}

/** Lets the person sign in at the provider. Returns the cookie and the query of the answer. */
async function answerOf(signIn: SignIn, returnTo = '/') {
  const { url, cookie } = await signIn.begin(returnTo);
  const answer = new URL(await provider.signIn(url));
  return { cookie, query: answer.search, url: new URL(url) };
}

/** Ends a sign-in, and creates its session. */
async function finish(signIn: SignIn, query: string, cookie: string) {
  const finished = await signIn.finish(query, cookie);
  return { ...finished, ...(await signIn.createSession(finished)) };
}

/** Signs the person in. */
async function signInWith(signIn: SignIn, returnTo = '/') {
  const { query, cookie } = await answerOf(signIn, returnTo);
  return finish(signIn, query, cookie);
}

describe('a sign-in', () => {
  it('gives a session with the roles of the claim', async () => {
    const { session, returnTo } = await signInWith(createSignIn(), '/applications/shop');
    expect(returnTo).toBe('/applications/shop');
    expect(session).toMatchObject({
      ...{ issuer: provider.issuer, subject: 'anna', name: 'Anna', email: 'anna@example.com' },
      grants: [{ role: 'operator', applications: ['shop'] }],
    });
  });

  it('asks with PKCE, state and nonce, which differ each time', async () => {
    const signIn = createSignIn();
    const first = (await answerOf(signIn)).url.searchParams;
    const second = (await answerOf(signIn)).url.searchParams;
    expect(first.get('code_challenge_method')).toBe('S256');
    expect(first.get('response_type')).toBe('code');
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(first.get(name)?.length).toBeGreaterThan(40);
      expect(first.get(name)).not.toBe(second.get(name));
    }
  });

  it('keeps its secrets from who reads its cookie', async () => {
    const { cookie, url } = await answerOf(createSignIn());
    const readable = cookie.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    expect(readable.join()).not.toContain(url.searchParams.get('state') ?? '');
    expect(readable.join()).not.toContain('verifier');
  });

  it('leads to a local path only', async () => {
    expect((await signInWith(createSignIn(), '//evil.example')).returnTo).toBe('/');
    expect((await signInWith(createSignIn(), 'https://evil.example')).returnTo).toBe('/');
  });

  it('reads the roles at the UserInfo endpoint if the token has none', async () => {
    provider.person = { sub: 'anna' };
    provider.userInfo = { realm_access: { roles: ['team'] }, preferred_username: 'anna.a' };
    const identity = createProvider({ rolesClaim: 'realm_access.roles' });
    const { session } = await signInWith(createSignIn({ provider: identity }));
    expect(session).toMatchObject({ name: 'anna.a', email: null });
    provider.userInfo = { sub: 'somebody else', groups: ['team'] };
    await expect(signInWith(createSignIn())).rejects.toThrow(failed);
  });

  it('is refused without a role', async () => {
    const forbidden = expect.objectContaining({ code: 'SIGN_IN_FORBIDDEN' });
    provider.person = { sub: 'anna', groups: ['another team'] };
    await expect(signInWith(createSignIn())).rejects.toThrow(forbidden);
    provider.person = { sub: 'anna' };
    await expect(signInWith(createSignIn())).rejects.toThrow(forbidden);
  });

  it('keeps no e-mail address that the provider has not confirmed', async () => {
    provider.person = { ...provider.person, email_verified: false };
    expect((await signInWith(createSignIn())).session.email).toBeNull();
  });

  it('works with a provider that wants the secret in the body', async () => {
    provider.metadata = { token_endpoint_auth_methods_supported: ['client_secret_post'] };
    expect((await signInWith(createSignIn())).session.subject).toBe('anna');
  });

  it('shows nothing of what a provider or a browser may put into errors', async () => {
    const signIn = createSignIn();
    const { cookie, query } = await answerOf(signIn);
    const state = new URLSearchParams(query).get('state') ?? '';
    const error = `access_denied<script>${'x'.repeat(1_000)}\u0000`;
    const answer = new URLSearchParams({ error, state }).toString();
    await expect(signIn.finish(`?${answer}`, cookie)).rejects.toThrow(
      expect.objectContaining({
        code: 'SIGN_IN_FAILED',
        message: expect.stringMatching(/^.{0,200}$/),
      }),
    );
  });
});

describe('an answer of the provider is refused', () => {
  it('without the cookie of the browser that began, or with that of another sign-in', async () => {
    const signIn = createSignIn();
    const mine = await answerOf(signIn);
    const theirs = await answerOf(signIn);
    await expect(signIn.finish(theirs.query, undefined)).rejects.toThrow(failed);
    await expect(signIn.finish(theirs.query, mine.cookie)).rejects.toThrow(failed);
    const other = createSignIn({ secretKey: Buffer.alloc(32, 4) });
    await expect(other.finish(mine.query, mine.cookie)).rejects.toThrow(failed);
    for (const cookie of ['', 'x', '....', `${mine.cookie}x`, mine.cookie.slice(0, -4)]) {
      await expect(signIn.finish(mine.query, cookie)).rejects.toThrow(failed);
    }
  });

  it('with another state, or two', async () => {
    const signIn = createSignIn();
    const { cookie, query } = await answerOf(signIn);
    const wrong = [
      query.replace(/state=[^&]*/, 'state=x'),
      query.replace(/&state=[^&]*/, ''),
      `${query}&state=x`,
      '',
    ];
    for (const text of wrong) await expect(signIn.finish(text, cookie)).rejects.toThrow(failed);
    expect(provider.requests).not.toContain('/token');
  });

  it('the second time, also if the provider accepted the code again', async () => {
    const signIn = createSignIn();
    const { cookie, query } = await answerOf(signIn);
    await finish(signIn, query, cookie);
    await expect(finish(signIn, query, cookie)).rejects.toThrow(failed);
    const identity = { issuer: 'i', subject: 'anna', name: 'A', email: null, roles: ['team'] };
    const forgiving = createSignIn({
      provider: { signInUrl: async () => 'http://x', identify: async () => identity },
    });
    const again = await forgiving.begin('/');
    await finish(forgiving, '', again.cookie);
    await expect(finish(forgiving, '', again.cookie)).rejects.toThrow(failed);
  });

  it('from a provider that names itself otherwise (iss)', async () => {
    provider.metadata = { authorization_response_iss_parameter_supported: true };
    const signIn = createSignIn();
    const { cookie, query } = await answerOf(signIn);
    await expect(signIn.finish(query, cookie)).rejects.toThrow(failed);
    const mixedUp = `${query}&iss=${encodeURIComponent('https://evil.example')}`;
    await expect(signIn.finish(mixedUp, cookie)).rejects.toThrow(failed);
  });
});

describe('an ID token is refused', () => {
  const now = Math.floor(Date.now() / 1_000);
  it.each<[string, Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['for another audience', { aud: 'another client' }],
    ['for several audiences without azp', { aud: ['posthaste', 'another client'] }],
    ['issued to another client', { azp: 'another client' }],
    ['that is expired', { iat: now - 600, exp: now - 60 }],
    ['that is not valid yet', { nbf: now + 600 }],
    ['of another sign-in', { nonce: 'another nonce' }],
    ['without a nonce', { nonce: undefined }],
    ['without an end', { exp: undefined }],
    ['without a subject', { sub: undefined }],
    ['with a subject that is no text', { sub: 5 }],
    ['with an empty subject', { sub: '' }],
    ['with an endless subject', { sub: 'x'.repeat(256) }],
    ['with control characters in its subject', { sub: 'anna\u0000' }],
  ])('%s', async (_name, changes) => {
    provider.forge = (claims, { key }) => signIdToken({ ...claims, ...changes }, key);
    await expect(signInWith(createSignIn())).rejects.toThrow(failed);
  });

  it('without a signature', async () => {
    provider.forge = (claims) => unsignedIdToken(claims);
    await expect(signInWith(createSignIn())).rejects.toThrow(failed);
    provider.forge = async (claims, { key }) => {
      const [head, body] = (await signIdToken(claims, key)).split('.');
      return `${head}.${body}.`;
    };
    await expect(signInWith(createSignIn())).rejects.toThrow(failed);
  });

  it('with HS256, signed with the public key or with the secret of the client', async () => {
    for (const alg of ['HS256', 'HS512']) {
      for (const text of [provider.key.pem, JSON.stringify(provider.key.jwk), client.secret]) {
        const secret = Buffer.from(text.padEnd(64, '\0'));
        provider.forge = (claims, { key }) => signIdToken(claims, key, { alg, secret });
        await expect(signInWith(createSignIn())).rejects.toThrow(failed);
      }
    }
  });

  it('signed with another key under the id of the published one', async () => {
    const swapped = await createOidcKey(provider.key.kid);
    provider.forge = (claims) => signIdToken(claims, swapped);
    await expect(signInWith(createSignIn())).rejects.toThrow(failed);
  });

  it('signed with a key that is not published, also if the token brings or names it', async () => {
    const unknown = await createOidcKey('key-2');
    provider.forge = (claims) => signIdToken(claims, unknown);
    await expect(signInWith(createSignIn())).rejects.toThrow(failed);
  });

  it('that is no token', async () => {
    for (const text of ['', 'x', 'x.y.z', 'a.b.c.d.e', 'x'.repeat(100_000)]) {
      provider.forge = () => text;
      await expect(signInWith(createSignIn())).rejects.toThrow(failed);
    }
  });
});

describe('the keys of the provider', () => {
  it('may change at any time', async () => {
    let nowMs = performance.now();
    const identity = createProvider({ now: () => nowMs });
    const signIn = createSignIn({ provider: identity });
    await signInWith(signIn);
    await provider.rotateKeys('key-2');
    await expect
      .poll(async () => (await signInWith(signIn)).session.subject, { timeout: 10_000 })
      .toBe('anna');
    nowMs += 7_200_000;
    expect((await signInWith(signIn)).session.subject).toBe('anna');
    const configurations = provider.requests.filter((path) => path.startsWith('/.well-known'));
    expect(configurations).toHaveLength(2);
  });

  it('may be RSA', async () => {
    provider.key = await createOidcKey('rsa', 'RS256');
    provider.published = [provider.key];
    expect((await signInWith(createSignIn())).session.subject).toBe('anna');
  });
});

describe('a provider that fails', () => {
  it.each(['reset', 'error', 'huge'] as const)('with %s gives 503 at every step', async (kind) => {
    for (const path of ['/.well-known/openid-configuration', '/token', '/jwks']) {
      const signIn = createSignIn();
      provider.fault = { path, kind };
      await expect(signInWith(signIn)).rejects.toThrow(unavailable);
    }
  });

  it('by not answering is given up', async () => {
    provider.fault = { kind: 'silent' };
    await expect(createSignIn().begin('/')).rejects.toThrow(unavailable);
  });

  it('is not asked for each sign-in, and is asked again after a moment', async () => {
    let nowMs = 0;
    const identity = createProvider({ now: () => nowMs });
    const signIn = createSignIn({ provider: identity });
    provider.fault = { kind: 'error' };
    for (let count = 0; count < 5; count += 1) {
      await expect(signIn.begin('/')).rejects.toThrow(unavailable);
    }
    expect(provider.requests).toHaveLength(1);
    provider.fault = undefined;
    nowMs = 1_000;
    expect((await signInWith(signIn)).session.subject).toBe('anna');
  });

  it('later than its configuration was read does not stop sign-ins', async () => {
    let nowMs = 0;
    const signIn = createSignIn({ provider: createProvider({ now: () => nowMs }) });
    await signInWith(signIn);
    provider.fault = { path: '/.well-known/openid-configuration', kind: 'reset' };
    nowMs = 7_200_000;
    expect((await signInWith(signIn)).session.subject).toBe('anna');
  });

  it('by stating another issuer is not used', async () => {
    provider.metadata = { issuer: 'https://evil.example' };
    await expect(createSignIn().begin('/')).rejects.toThrow(unavailable);
  });

  it('by being where no request may go is not called', async () => {
    const guarded = createEgress({ guard: createAddressGuard() });
    const signIn = createSignIn({ provider: createProvider({ http: guarded }) });
    await expect(signIn.begin('/')).rejects.toThrow(unavailable);
    await guarded.close();
    expect(provider.requests).toEqual([]);
  });
});

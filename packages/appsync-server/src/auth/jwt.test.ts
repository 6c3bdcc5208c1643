import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Authorizer, AuthRequest, Identity } from './authorizer.js';
import { createCognitoAuthorizer, createOidcAuthorizer, type JwtOptions } from './jwt.js';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let first: Keys;
let second: Keys;
let stranger: Keys;

beforeAll(async () => {
  const create = () => generateKeyPair('ES256', { extractable: true });
  [first, second, stranger] = await Promise.all([create(), create(), create()]);
});

/** An issuer on HTTP, whose keys can be changed. */
class TestIssuer {
  reads = 0;
  status = 200;
  url = '';
  #keys: object[] = [];

  static async start(): Promise<TestIssuer> {
    const issuer = new TestIssuer();
    const server = createServer((request, response) => {
      issuer.reads += 1;
      const isKeys = request.url?.endsWith('/jwks.json') === true;
      const configuration = { issuer: issuer.url, jwks_uri: `${issuer.url}/.well-known/jwks.json` };
      response.writeHead(issuer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isKeys ? { keys: issuer.#keys } : configuration));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    await issuer.setKeys({ first });
    return issuer;
  }

  async setKeys(keys: Readonly<Record<string, Keys>>): Promise<void> {
    this.#keys = await Promise.all(
      Object.entries(keys).map(async ([kid, { publicKey }]) => ({
        ...(await exportJWK(publicKey)),
        kid,
        alg: 'ES256',
      })),
    );
  }

  token(claims: object, { kid = 'first', key = first } = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const all = { iss: this.url, sub: 'ann', aud: 'app', exp: now + 600, ...claims };
    return new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid }).sign(key.privateKey);
  }
}

const request = (token: string): AuthRequest => ({
  operation: 'connect',
  headers: { authorization: token },
  body: '{}',
});
const check = async (authorizer: Authorizer, token: string): Promise<Identity> =>
  authorizer.authorize(request(token));
const refused = { errorType: 'UnauthorizedException', errorCode: 401 };

async function openOidc(options: JwtOptions = {}) {
  const issuer = await TestIssuer.start();
  const authorizer = createOidcAuthorizer({ issuer: issuer.url, audience: 'app', ...options });
  return { issuer, authorizer };
}

describe('OpenID Connect', () => {
  it('accepts a token, with and without Bearer, as one identity, and reads the keys once', async () => {
    const { issuer, authorizer } = await openOidc({ realm: 'shop' });
    const token = await issuer.token({ team: 'blue' });
    expect(authorizer.accepts({ authorization: token })).toBe(true);
    expect(authorizer.accepts({ authorization: `bearer ${token}` })).toBe(true);
    const [identity, same] = await Promise.all([
      check(authorizer, token),
      check(authorizer, `Bearer ${token}`),
    ]);
    expect(identity).toMatchObject({
      mode: 'OPENID_CONNECT',
      id: 'ann',
      realm: 'shop',
      claims: { team: 'blue' },
    });
    expect(identity.expiresAt).toBeGreaterThan(Date.now());
    expect(same).toBe(identity);
    // The second time nobody has to wait.
    expect(authorizer.authorize(request(token))).toBe(identity);
    expect(issuer.reads).toBe(2);
  });

  it('refuses tokens of another issuer, audience or key, forged, unsigned and expired ones', async () => {
    const { issuer, authorizer } = await openOidc();
    const now = Math.floor(Date.now() / 1_000);
    const hmac = new SignJWT({ iss: issuer.url, sub: 'ann', aud: 'app', exp: now + 600 });
    const publicText = JSON.stringify(await exportJWK(first.publicKey));
    const good = await issuer.token({});
    const [head = '', , signature = ''] = good.split('.');
    const forged = Buffer.from(
      JSON.stringify({ iss: issuer.url, sub: 'root', aud: 'app', exp: now + 600 }),
    ).toString('base64url');
    const tokens = {
      'another audience': await issuer.token({ aud: ['other'] }),
      'no audience': await issuer.token({ aud: undefined }),
      'swapped key': await issuer.token({}, { key: stranger }),
      'expired a second ago': await issuer.token({ exp: now - 1 }),
      'without expiry': await issuer.token({ exp: undefined }),
      'without subject': await issuer.token({ sub: undefined }),
      'not yet valid': await issuer.token({ nbf: now + 300 }),
      unsigned: new UnsecuredJWT({
        iss: issuer.url,
        sub: 'ann',
        aud: 'app',
        exp: now + 600,
      }).encode(),
      'signed by the public key': await hmac
        .setProtectedHeader({ alg: 'HS256', kid: 'first' })
        .sign(Buffer.from(publicText)),
      'changed claims': `${head}.${forged}.${signature}`,
    };
    for (const [name, token] of Object.entries(tokens)) {
      await expect(check(authorizer, token), name).rejects.toMatchObject(refused);
    }
    const foreign = await issuer.token({ iss: 'https://elsewhere.example' });
    expect(authorizer.accepts({ authorization: foreign })).toBe(false);
    await expect(check(authorizer, foreign)).rejects.toMatchObject(refused);
    expect(authorizer.accepts({ authorization: 'opaque' })).toBe(false);
  });

  it('allows a small difference of clocks for a token that begins, and none for one that ends', async () => {
    const { issuer, authorizer } = await openOidc();
    const now = Math.floor(Date.now() / 1_000);
    await expect(check(authorizer, await issuer.token({ nbf: now + 30 }))).resolves.toBeDefined();
    let time = Date.now();
    const ending = createOidcAuthorizer({ issuer: issuer.url, now: () => time });
    const token = await issuer.token({});
    const identity = await check(ending, token);
    time = identity.expiresAt ?? 0;
    await expect(check(ending, token)).rejects.toMatchObject(refused);
  });

  it('follows a rotation of keys, and reads them at most once in a while for unknown ones', async () => {
    const { issuer, authorizer } = await openOidc({ rotationMs: 0 });
    await check(authorizer, await issuer.token({}));
    await issuer.setKeys({ second });
    const rotated = await issuer.token({}, { kid: 'second', key: second });
    await expect(check(authorizer, rotated)).resolves.toMatchObject({ id: 'ann' });
    const old = await issuer.token({ sub: 'bob' });
    await expect(check(authorizer, old)).rejects.toMatchObject(refused);

    const calm = createOidcAuthorizer({ issuer: issuer.url, rotationMs: 600_000 });
    await check(calm, rotated);
    const before = issuer.reads;
    const unknown = await issuer.token({}, { kid: 'unknown', key: stranger });
    for (let n = 0; n < 20; n += 1)
      await expect(check(calm, unknown)).rejects.toMatchObject(refused);
    expect(issuer.reads).toBe(before);
  });

  it('distinguishes an issuer that is away from a bad token, and asks it again', async () => {
    const { issuer, authorizer } = await openOidc({ rotationMs: 0 });
    issuer.status = 500;
    const token = await issuer.token({});
    const away = { code: 'IDENTITY_PROVIDER_UNAVAILABLE' };
    await expect(check(authorizer, token)).rejects.toMatchObject(away);
    issuer.status = 200;
    await expect(check(authorizer, token)).resolves.toMatchObject({ id: 'ann' });
    const other = createOidcAuthorizer({ issuer: issuer.url.replace('127.0.0.1', 'localhost') });
    const wrong = await issuer.token({ iss: issuer.url.replace('127.0.0.1', 'localhost') });
    await expect(check(other, wrong)).rejects.toMatchObject(away);
  });

  it('remembers a limited number of tokens', async () => {
    const { issuer, authorizer } = await openOidc({ cacheSize: 2 });
    const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => issuer.token({ sub })));
    const known = [];
    for (const token of tokens) known.push(await check(authorizer, token));
    expect(await check(authorizer, tokens[2] ?? '')).toBe(known[2]);
    expect(await check(authorizer, tokens[0] ?? '')).not.toBe(known[0]);
  });
});

describe('Cognito', () => {
  const open = async () => {
    const issuer = await TestIssuer.start();
    const userPoolId = 'eu-west-1_abc';
    const authorizer = createCognitoAuthorizer({ userPoolId, clientId: 'app', issuer: issuer.url });
    return { issuer, authorizer };
  };

  it('accepts ID tokens and access tokens of the client', async () => {
    const { issuer, authorizer } = await open();
    const id = await issuer.token({ token_use: 'id' });
    const access = await issuer.token({ token_use: 'access', aud: undefined, client_id: 'app' });
    for (const token of [id, access]) {
      expect(await check(authorizer, token)).toMatchObject({
        mode: 'AMAZON_COGNITO_USER_POOLS',
        id: 'ann',
      });
    }
    // The keys only: the address of the configuration is not needed.
    expect(issuer.reads).toBe(1);
  });

  it('refuses tokens of another client, and of another use', async () => {
    const { issuer, authorizer } = await open();
    for (const claims of [
      { token_use: 'id', aud: 'other', client_id: 'app' },
      { token_use: 'access', aud: 'app', client_id: 'other' },
      { token_use: 'access', aud: 'app' },
      { token_use: 'refresh', client_id: 'app' },
      {},
    ]) {
      await expect(check(authorizer, await issuer.token(claims))).rejects.toMatchObject(refused);
    }
    expect(() => createCognitoAuthorizer({ userPoolId: 'abc' })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  it('of the pool of a region is only asked about tokens of that pool', () => {
    const authorizer = createCognitoAuthorizer({ userPoolId: 'eu-west-1_abc' });
    const encode = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const withIssuer = (iss: string) => ({
      authorization: `${encode({ alg: 'RS256' })}.${encode({ iss })}.c2ln`,
    });
    const pool = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_';
    expect(authorizer.accepts(withIssuer(`${pool}abc`))).toBe(true);
    expect(authorizer.accepts(withIssuer(`${pool}abcd`))).toBe(false);
  });
});

import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createOidcKey, type OidcKey, signIdToken } from './oidc-keys.js';

type Claims = Readonly<Record<string, unknown>>;

/**
 * Fault of the provider: it never answers, resets connections, answers with endless bytes, or
 * answers 500.
 */
export type OidcFault = 'silent' | 'reset' | 'huge' | 'error';

/** Client that the provider knows. */
export interface OidcClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
}

/** A code that was handed out. */
interface Authorization {
  readonly nonce: string | null;
  readonly challenge: string | null;
  readonly redirectUri: string | null;
  readonly person: Claims;
}

/** Starts an identity provider on loopback, with one client. */
export async function startOidcProvider(client: OidcClient): Promise<OidcProvider> {
  const provider = new OidcProvider(client, await createOidcKey('key-1'));
  await provider.listen();
  return provider;
}

/**
 * A small identity provider (OpenID Connect, authorization code flow with PKCE) that signs in
 * whomever the test names, without a page, and can be told to misbehave.
 */
export class OidcProvider {
  /** Claims of the person that signs in next. */
  person: Claims = { sub: 'anna', name: 'Anna', email: 'anna@example.com', groups: [] };
  /** Claims that only the UserInfo endpoint has. Default: none. */
  userInfo: Claims = {};
  /** Key that signs, and the keys that are published. */
  key: OidcKey;
  published: OidcKey[];
  /** Replaces the ID token. Gets the claims that it would have. */
  forge: ((claims: Claims, provider: OidcProvider) => Promise<string> | string) | undefined;
  /** Changes the configuration that is published. */
  metadata: Claims = {};
  /** Fault of all paths, or of one. */
  fault: { readonly path?: string; readonly kind: OidcFault } | undefined;
  /** Paths that were asked for, oldest first. */
  readonly requests: string[] = [];
  readonly #client: OidcClient;
  readonly #server: Server;
  readonly #codes = new Map<string, Authorization>();
  readonly #accessTokens = new Map<string, Claims>();
  #issuer = '';

  /** Use `startOidcProvider`. */
  constructor(client: OidcClient, key: OidcKey) {
    this.#client = client;
    this.key = key;
    this.published = [key];
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  /** Issuer URL: `http://127.0.0.1:40001`. */
  get issuer(): string {
    return this.#issuer;
  }

  /** Called by `startOidcProvider`. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#issuer = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Signs with a new key from now on, and publishes only that one. */
  async rotateKeys(kid: string): Promise<void> {
    this.key = await createOidcKey(kid);
    this.published = [this.key];
  }

  /** Signs `person` in, as a browser that follows `signInUrl`. Returns the URL it is sent back to. */
  async signIn(signInUrl: string): Promise<string> {
    const response = await fetch(signInUrl, { redirect: 'manual' });
    const location = response.headers.get('location');
    if (location === null) throw new Error(`no redirect: ${await response.text()}`);
    return location;
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.#issuer);
    this.requests.push(url.pathname);
    if (this.fault && (this.fault.path ?? url.pathname) === url.pathname) {
      fail(this.fault.kind, response);
      return;
    }
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        sendJson(response, 200, this.#configuration());
        return;
      case '/jwks':
        sendJson(response, 200, { keys: this.published.map(({ jwk }) => jwk) });
        return;
      case '/authorize':
        this.#authorize(url.searchParams, response);
        return;
      case '/token':
        return this.#exchange(request, response);
      case '/userinfo':
        return this.#sendUserInfo(request, response);
      default:
        sendJson(response, 404, {});
    }
  }

  #configuration(): Claims {
    return {
      issuer: this.#issuer,
      authorization_endpoint: `${this.#issuer}/authorize`,
      token_endpoint: `${this.#issuer}/token`,
      userinfo_endpoint: `${this.#issuer}/userinfo`,
      jwks_uri: `${this.#issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      code_challenge_methods_supported: ['S256'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256', 'HS256', 'none'],
      ...this.metadata,
    };
  }

  #authorize(query: URLSearchParams, response: ServerResponse): void {
    const redirectUri = query.get('redirect_uri');
    if (query.get('client_id') !== this.#client.id || redirectUri !== this.#client.redirectUri) {
      sendJson(response, 400, { error: 'unknown client or redirect_uri' });
      return;
    }
    const code = randomUUID();
    this.#codes.set(code, {
      nonce: query.get('nonce'),
      challenge: query.get('code_challenge_method') === 'S256' ? query.get('code_challenge') : null,
      redirectUri,
      person: this.person,
    });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', query.get('state') ?? '');
    response.writeHead(302, { location: back.href }).end();
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    const code = form.get('code') ?? '';
    const found = this.#codes.get(code);
    this.#codes.delete(code);
    if (!this.#knowsClient(request, form)) {
      sendJson(response, 401, { error: 'invalid_client' });
      return;
    }
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '');
    const fits =
      found?.challenge === challenge.digest('base64url') &&
      found.redirectUri === form.get('redirect_uri');
    if (found === undefined || !fits) {
      sendJson(response, 400, { error: 'invalid_grant' });
      return;
    }
    const accessToken = randomUUID();
    this.#accessTokens.set(accessToken, found.person);
    sendJson(response, 200, {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: 60,
      id_token: await this.#idToken(found),
    });
  }

  #knowsClient({ headers }: IncomingMessage, form: URLSearchParams): boolean {
    const { id, secret } = this.#client;
    const [, encoded = ''] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? [];
    // Each part is written as in a form (RFC 6749, section 2.3.1).
    const given = Buffer.from(encoded, 'base64').toString().replaceAll('+', ' ').split(':');
    const inHeader = given.map(decodeURIComponent).join('\n') === `${id}\n${secret}`;
    const inBody = form.get('client_id') === id && form.get('client_secret') === secret;
    return inHeader || inBody;
  }

  async #idToken({ person, nonce }: Authorization): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: this.#issuer,
      aud: this.#client.id,
      iat: now,
      exp: now + 300,
      nonce,
      ...person,
    };
    return this.forge === undefined ? signIdToken(claims, this.key) : this.forge(claims, this);
  }

  #sendUserInfo({ headers }: IncomingMessage, response: ServerResponse): void {
    const token = headers.authorization?.replace(/^Bearer /i, '') ?? '';
    const person = this.#accessTokens.get(token);
    if (person === undefined) sendJson(response, 401, {});
    else sendJson(response, 200, { ...person, ...this.userInfo });
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function fail(kind: OidcFault, response: ServerResponse): void {
  switch (kind) {
    case 'silent':
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'error':
      sendJson(response, 500, { error: 'server_error' });
      return;
    case 'huge': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(65_536, 0x20);
      const write = (): void => {
        while (!response.destroyed && response.write(chunk)) {
          // Until the client no longer reads.
        }
      };
      response.on('drain', write);
      write();
    }
  }
}

import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import { isLoopback, toHostName } from './local-caller.js';

/**
 * Cookies of sessions and sign-ins, and the check of who sends them.
 *
 * A browser adds cookies to requests that other pages cause. `SameSite=Strict` keeps the session's
 * cookie from those of other sites, but not from pages of sibling domains, and old browsers ignore
 * it. So a request with it is refused unless the browser says that a page of the platform sent it.
 *
 * The prefix `__Host-` keeps sibling domains and plain HTTP from setting the cookie: nobody can put
 * a browser into a session of their own.
 */
export class SessionCookies {
  /** Name of the cookie that holds a session. */
  readonly sessionName: string;
  readonly #signInName: string;
  readonly #publicUrl: URL | undefined;
  readonly #isSecure: boolean;

  /** @param publicUrl URL at which browsers reach the gateway. Default: loopback only, by HTTP */
  constructor(publicUrl: string | undefined) {
    this.#publicUrl = publicUrl === undefined ? undefined : new URL(publicUrl);
    this.#isSecure = this.#publicUrl?.protocol === 'https:';
    const prefix = this.#isSecure ? '__Host-' : '';
    this.sessionName = `${prefix}posthaste-session`;
    this.#signInName = `${prefix}posthaste-sign-in`;
  }

  /** Returns the value of Set-Cookie that begins a session in the browser. */
  begin(token: string, expiresAt: Date): string {
    return `${this.sessionName}=${token}; ${this.#attributes('Strict')}; Expires=${expiresAt.toUTCString()}`;
  }

  /** Returns the value of Set-Cookie that ends the session in the browser. */
  end(): string {
    return `${this.sessionName}=; ${this.#attributes('Strict')}; Max-Age=0`;
  }

  /**
   * Returns the value of Set-Cookie that a sign-in begins with. It is `Lax`, because browsers do not
   * send `Strict` cookies when the identity provider sends them back.
   */
  beginSignIn(value: string, maxAgeSeconds: number): string {
    return `${this.#signInName}=${value}; ${this.#attributes('Lax')}; Max-Age=${maxAgeSeconds}`;
  }

  /** Returns the value of Set-Cookie that a sign-in ends with, whatever its result. */
  endSignIn(): string {
    return `${this.#signInName}=; ${this.#attributes('Lax')}; Max-Age=0`;
  }

  /** Returns the cookie of the sign-in that this browser has begun. */
  readSignIn(request: FastifyRequest): string | undefined {
    return readCookie(request, this.#signInName);
  }

  /** Throws where a cookie would travel unprotected. @throws PlatformError `SIGN_IN_UNAVAILABLE` */
  requireSafe(request: FastifyRequest): void {
    const host = toHostName(request.host);
    const isOnMachine = host === '[::1]' || isLoopback(host);
    if (this.#publicUrl !== undefined || isOnMachine) return;
    throw new PlatformError(
      'SIGN_IN_UNAVAILABLE',
      'there are no sessions on this server for browsers on other machines; set POSTHASTE_PUBLIC_URL',
    );
  }

  /**
   * Returns the error for a request with the session's cookie that no page of the platform has sent.
   * One that changes something needs proof: a browser of today sends Sec-Fetch-Site, older ones send
   * Origin.
   */
  refuseForeign(request: FastifyRequest): PlatformError | undefined {
    const { origin, 'sec-fetch-site': site } = request.raw.headers;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const isProven = site !== undefined || origin !== undefined;
    if (!this.isFromOtherPage(request) && (isProven || isRead) && (isRead || site !== 'none')) {
      return undefined;
    }
    const from = origin ?? site ?? 'unknown';
    return new PlatformError(
      'COOKIE_NOT_ALLOWED',
      `the session's cookie came with a request of another origin (${from})`,
    );
  }

  /** True if the browser says that a page of another origin has sent the request. */
  isFromOtherPage({ host, raw: { headers } }: FastifyRequest): boolean {
    const { origin, 'sec-fetch-site': site } = headers;
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
    if (origin === undefined) return false;
    return this.#publicUrl === undefined
      ? origin !== `http://${host}` && origin !== `https://${host}`
      : origin !== this.#publicUrl.origin;
  }

  #attributes(sameSite: 'Strict' | 'Lax'): string {
    return `Path=/; HttpOnly; SameSite=${sameSite}${this.#isSecure ? '; Secure' : ''}`;
  }
}

/**
 * Returns the value of a cookie; undefined without it. Empty, which is never valid, if there are two
 * of the name: one of them may be of a page that wants to put the browser into a session of its own,
 * and a server that needs no credential must not take it for none.
 */
export function readCookie({ raw }: FastifyRequest, name: string): string | undefined {
  const { cookie } = raw.headers;
  if (cookie === undefined) return undefined;
  const start = `${name}=`;
  const pairs = cookie.split(';').filter((pair) => pair.trimStart().startsWith(start));
  return pairs.length > 1 ? '' : pairs[0]?.trim().slice(start.length);
}

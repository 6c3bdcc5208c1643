import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAddressGuard, createEgress, type Egress } from '@posthaste/egress';
import { type Database, migrate, openEmbedded } from '@posthaste/postgres';
import { Provider } from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { accessMigrations } from '../migrations.js';
import { IdentityProvider } from './identity-provider.js';
import { parseRoleRule } from './role-mapping.js';
import { Sessions } from './sessions.js';
import { SignIn } from './sign-in.js';

const sessionOptions = { cookieName: 'session', lengthMs: 3_600_000, idleTimeoutMs: 600_000 };
const redirectUri = 'https://events.example.com/v1/sign-in/callback';

describe('a sign-in at oidc-provider, with its own pages', () => {
  let server: Server;
  let issuer: string;
  let http: Egress;
  let db: Database;

  beforeAll(async () => {
    // It warns about settings that only matter in production.
    vi.spyOn(console, 'warn').mockReturnValue();
    vi.spyOn(console, 'info').mockReturnValue();
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: 'posthaste',
          client_secret: 'a secret that is long enough',
          redirect_uris: [redirectUri],
        },
      ],
      claims: { openid: ['sub'], groups: ['groups'], profile: ['name'] },
      scopes: ['openid', 'profile', 'groups'],
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, name: 'Anna', groups: ['team'] }),
      }),
      pkce: { required: () => true },
      features: { devInteractions: { enabled: true } },
    });
    server.on('request', provider.callback());
    http = createEgress({ guard: createAddressGuard({ allowLoopback: true }) });
    db = await openEmbedded();
    await migrate(db, [accessMigrations]);
  });

  afterAll(async () => {
    vi.restoreAllMocks();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await http.close();
    await db.close();
  });

  it('gives a session', async () => {
    const signIn = new SignIn({
      provider: new IdentityProvider({
        ...{ issuer, clientId: 'posthaste', clientSecret: 'a secret that is long enough' },
        ...{ scopes: ['openid', 'profile', 'groups'], rolesClaim: 'groups', redirectUri, http },
      }),
      sessions: new Sessions(db, sessionOptions),
      rules: [parseRoleRule('team=viewer')],
      secretKey: Buffer.alloc(32, 5),
    });
    const { url, cookie } = await signIn.begin('/');
    const answer = await visit(url);
    const { session } = await signIn.createSession(await signIn.finish(answer.search, cookie));
    expect(session).toMatchObject({
      ...{ issuer, subject: 'anna', name: 'Anna' },
      grants: [{ role: 'viewer', applications: 'all' }],
    });
  });

  /** Fills in the provider's forms as a person would, until it sends the browser back. */
  async function visit(start: string): Promise<URL> {
    const cookies = new Map<string, string>();
    let next: { url: URL; form?: string } = { url: new URL(start) };
    for (let step = 0; step < 20; step += 1) {
      const response = await fetch(next.url, {
        method: next.form === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: {
          cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(next.form === undefined
            ? {}
            : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(next.form === undefined ? {} : { body: next.form }),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (location !== null) {
        const url = new URL(location, next.url);
        if (url.href.startsWith(redirectUri)) return url;
        next = { url };
        continue;
      }
      const page = await response.text();
      const [, action] = /<form[^>]* action="([^"]+)"/.exec(page) ?? [];
      if (action === undefined) throw new Error(`no form: ${response.status} ${page}`);
      const form = page.includes('name="login"')
        ? 'prompt=login&login=anna&password=any'
        : 'prompt=consent';
      next = { url: new URL(action, next.url), form };
    }
    throw new Error('the provider does not send the browser back');
  }
});

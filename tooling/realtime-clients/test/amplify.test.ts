import {
  type Authorizer,
  createApiKeyAuthorizer,
  createOidcAuthorizer,
} from '@posthaste/appsync-server';
import { signIdToken, startOidcProvider } from '@posthaste/testbed';
import { describe, expect, it, type TestContext } from 'vitest';
import { type AmplifyVersion, runAmplify, wholeSession } from './run-amplify.js';
import { startTlsServer, type TlsServer } from './tls-server.js';

const versions: readonly AmplifyVersion[] = ['6-22', '6-20'];
const key = 'da2-amplify';
const channel = '/default/room';

/** Starts a server that ends with the test. */
async function startServer(
  { onTestFinished }: TestContext,
  authorizer: Authorizer = createApiKeyAuthorizer([key]),
): Promise<TlsServer> {
  const server = await startTlsServer(authorizer);
  onTestFinished(() => server.close());
  return server;
}

describe.each(versions)('aws-amplify %s', (version) => {
  it.concurrent('connects, subscribes, publishes over WebSocket and HTTP, and closes', async (test) => {
    const server = await startServer(test);
    const { endpoint } = server;
    const found = await runAmplify({ version, scenario: 'session', endpoint, channel, key });
    expect(found).toMatchObject(wholeSession);
    expect(found.seen).toHaveLength(3);
    await test.expect.poll(() => server.realtime.counts().connections).toBe(0);
    expect(server.upgrades()).toBe(1);
  });

  it.concurrent('does the same with the token of an OpenID Connect provider', async (test) => {
    const provider = await startOidcProvider({ id: 'web', secret: 's', redirectUri: 'http://x/' });
    test.onTestFinished(() => provider.close());
    const { issuer } = provider;
    const exp = Math.floor(Date.now() / 1_000) + 300;
    const text = await signIdToken({ iss: issuer, aud: 'web', sub: 'anna', exp }, provider.key);
    const authorizer = createOidcAuthorizer({ issuer, audience: 'web' });
    const { endpoint } = await startServer(test, authorizer);
    const use = {
      version,
      scenario: 'session',
      endpoint,
      channel,
      tokens: [{ text, exp }],
    } as const;
    expect(await runAmplify(use)).toMatchObject(wholeSession);
  });

  // amplify-js 14946
  it.concurrent('publishes while a subscription of the same socket is denied', async (test) => {
    const { endpoint } = await startServer(test);
    const use = { version, scenario: 'deniedBesidePublish', endpoint, channel, key } as const;
    expect(await runAmplify(use)).toMatchObject({ failed: [], denied: true });
  });

  // amplify-js 14947
  it.concurrent('goes on receiving over one socket beside a subscription that is denied', async (test) => {
    const server = await startServer(test);
    const { endpoint } = server;
    const use = { version, scenario: 'deniedBesideSibling', endpoint, channel, key } as const;
    const found = await runAmplify(use);
    expect(found.published).toBeGreaterThan(3);
    expect(found.seen).toBe(found.published);
    expect(found.errors).toEqual([]);
    expect(server.upgrades()).toBe(1);
  });
});

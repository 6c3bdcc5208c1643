import { createApiKeyAuthorizer } from '@posthaste/appsync-server';
import { describe, expect, it, type TestContext } from 'vitest';
import { type AmplifyVersion, runAmplify } from './run-amplify.js';
import { startTlsServer, type TlsServer } from './tls-server.js';

const versions: readonly AmplifyVersion[] = ['6-22', '6-20'];
const credential = 'da2-amplify';
const channel = '/default/room';

/** Starts a server that ends with the test. */
async function startServer({ onTestFinished }: TestContext): Promise<TlsServer> {
  const server = await startTlsServer(createApiKeyAuthorizer([credential]));
  onTestFinished(() => server.close());
  return server;
}

describe.each(versions)('aws-amplify %s, and handlers that deny', (version) => {
  // amplify-js 14946
  it.concurrent('publishes while a subscription of the same socket is denied', async (test) => {
    const { endpoint } = await startServer(test);
    const use = {
      version,
      scenario: 'deniedBesidePublish',
      endpoint,
      channel,
      credential,
    } as const;
    expect(await runAmplify(use)).toMatchObject({ failed: [], denied: true });
  });

  // amplify-js 14947
  it.concurrent('goes on receiving over one socket beside a subscription that is denied', async (test) => {
    const server = await startServer(test);
    const { endpoint } = server;
    const use = {
      version,
      scenario: 'deniedBesideSibling',
      endpoint,
      channel,
      credential,
    } as const;
    const found = await runAmplify(use);
    expect(found.published).toBeGreaterThan(3);
    expect(found.seen).toBe(found.published);
    expect(found.errors).toEqual([]);
    expect(server.upgrades()).toBe(1);
  });
});

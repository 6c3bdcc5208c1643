import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createApiKeyAuthorizer, createOidcAuthorizer } from '@posthaste/appsync-server';
import { signIdToken, startOidcProvider } from '@posthaste/testbed';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateFile, startTlsServer, type TlsServer } from './tls-server.js';

const execute = promisify(execFile);
const program = fileURLToPath(new URL('amplify-program.ts', import.meta.url));
const key = 'da2-amplify';

/** A use of Amplify: which package, what it does, and as whom. */
interface Use {
  readonly version: string;
  readonly scenario: 'session' | 'deniedBesidePublish' | 'deniedBesideSibling';
  readonly mode?: 'apiKey' | 'oidc';
  readonly credential?: string;
}

/** Runs Amplify in a process of its own, which trusts the certificate. Returns what it saw. */
async function runAmplify({ endpoint }: TlsServer, use: Use): Promise<Record<string, unknown>> {
  const { version, scenario, mode = 'apiKey', credential = key } = use;
  const args = [program, `aws-amplify-${version}`, scenario, endpoint, mode, credential];
  const { stdout } = await execute(process.execPath, args, {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificateFile },
    timeout: 55_000,
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

const wholeSession = {
  seen: expect.arrayContaining([{ n: 1, text: 'grüße "all"' }, { n: 2 }, { n: 3 }]),
  errors: [],
  // Amplify returns the events that failed, or nothing.
  failed: [],
};

describe.each(['6-22', '6-20'])('aws-amplify %s', (version) => {
  it('connects, subscribes, publishes over WebSocket and HTTP, and closes', async () => {
    const server = await startTlsServer(createApiKeyAuthorizer([key]));
    const found = await runAmplify(server, { version, scenario: 'session' });
    expect(found).toMatchObject(wholeSession);
    expect(found.seen).toHaveLength(3);
    await expect.poll(() => server.realtime.counts().connections).toBe(0);
    expect(server.upgrades()).toBe(1);
  });

  it('does the same with the token of an OpenID Connect provider', async () => {
    const provider = await startOidcProvider({ id: 'web', secret: 's', redirectUri: 'http://x/' });
    onTestFinished(() => provider.close());
    const { issuer } = provider;
    const exp = Math.floor(Date.now() / 1_000) + 300;
    const token = await signIdToken({ iss: issuer, aud: 'web', sub: 'anna', exp }, provider.key);
    const server = await startTlsServer(createOidcAuthorizer({ issuer, audience: 'web' }));
    const use: Use = { version, scenario: 'session', mode: 'oidc', credential: token };
    expect(await runAmplify(server, use)).toMatchObject(wholeSession);
  });

  // amplify-js 14946
  it('publishes while a subscription of the same socket is denied', async () => {
    const server = await startTlsServer(createApiKeyAuthorizer([key]));
    const found = await runAmplify(server, { version, scenario: 'deniedBesidePublish' });
    expect(found).toMatchObject({ failed: [], denied: true });
  });

  // amplify-js 14947
  it('goes on receiving over one socket beside a subscription that is denied', async () => {
    const server = await startTlsServer(createApiKeyAuthorizer([key]));
    const found = await runAmplify(server, { version, scenario: 'deniedBesideSibling' });
    expect(found.published).toBeGreaterThan(3);
    expect(found.seen).toBe(found.published);
    expect(found.errors).toEqual([]);
    expect(server.upgrades()).toBe(1);
  });
});

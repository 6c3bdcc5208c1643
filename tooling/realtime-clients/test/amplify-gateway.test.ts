import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type OidcProvider,
  type RunningProcess,
  signIdToken,
  startOidcProvider,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { startTestGateway, type TestGateway } from './gateway.js';
import {
  type AmplifyVersion,
  findOutcome,
  runAmplify,
  startAmplify,
  wholeSession,
} from './run-amplify.js';
import { startTlsProxy, type TlsProxy } from './tls-proxy.js';
import { startTokenSource } from './token-source.js';
import { startWebhook, type Webhook } from './webhook.js';

const versions: readonly AmplifyVersion[] = ['6-22', '6-20'];
const channel = '/default/room';
/** Application of the issuer and the IAM key. */
const club = 'club';
const iamKey = { accessKeyId: 'AKIAAMPLIFY', secretAccessKey: randomBytes(20).toString('hex') };
/** Life of a token that ends during a test, in seconds: Amplify has connected and subscribed before. */
const shortSeconds = 10;
const longSeconds = 300;
/** Longest time until Amplify has come back: the end of the token, the close, and its wait of 5 s. */
const comesBack = { timeout: 45_000 };

/** Token that the webhook authorizer lets in. */
const opaque = randomBytes(20).toString('hex');

/** Writes the file of POSTHASTE_REALTIME_CONFIG into a folder of its own. */
async function writeConfig(issuer: string, url: string): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'realtime-config-'));
  const file = join(folder, 'realtime.json');
  const authorizers = [
    { type: 'oidc', application: club, issuer, audience: 'web' },
    { type: 'iam', application: club, keys: [iamKey] },
    { type: 'webhook', application: club, url },
  ];
  await writeFile(file, JSON.stringify({ authorizers }));
  return { folder, file };
}

/** Publishes again and again, as number 1, until the program ends. */
async function postUntilEnd(
  gateway: TestGateway,
  {
    key,
    path,
    running,
  }: { readonly key: string; readonly path: string; readonly running: RunningProcess },
): Promise<void> {
  while (running.exit === undefined) {
    await gateway.post(key, path, { n: 1 });
    await Promise.race([running.exited, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

describeWithPostgres('AWS Amplify and the gateway', () => {
  let gateway: TestGateway;
  let provider: OidcProvider;
  let webhook: Webhook;
  let folder: string;
  let applications = 0;

  beforeAll(async () => {
    provider = await startOidcProvider({ id: 'web', secret: 's', redirectUri: 'http://x/' });
    webhook = await startWebhook(opaque);
    const config = await writeConfig(provider.issuer, webhook.url);
    folder = config.folder;
    gateway = await startTestGateway({ POSTHASTE_REALTIME_CONFIG: config.file });
  });
  afterAll(async () => {
    await Promise.all([gateway?.close(), provider?.close(), webhook?.close()]);
    if (folder) await rm(folder, { recursive: true });
  });

  /** Creates a key for an application of its own, and a proxy that ends with the test. */
  async function prepare(
    { onTestFinished }: TestContext,
    channels?: string[],
  ): Promise<{ key: string; proxy: TlsProxy; endpoint: string }> {
    const proxy = await startTlsProxy(gateway);
    onTestFinished(() => proxy.close());
    applications += 1;
    const application = `shop-${applications}`;
    const key = await gateway.createKey({
      applications: [application],
      ...(channels && { channels }),
    });
    return { key, proxy, endpoint: proxy.endpoint };
  }

  /** Starts a source of tokens that ends with the test. Returns its URL. */
  async function openSource(
    { onTestFinished }: TestContext,
    makeToken: () => Promise<string>,
  ): Promise<string> {
    const source = await startTokenSource(makeToken);
    onTestFinished(() => source.close());
    return source.url;
  }

  /** Signs a token of the provider that ends after some seconds. */
  function signToken(seconds: number): Promise<string> {
    const exp = Math.floor(Date.now() / 1_000) + seconds;
    return signIdToken({ iss: provider.issuer, aud: 'web', sub: 'anna', exp }, provider.key);
  }

  for (const version of versions) {
    it.concurrent(`${version}: comes back when the token of its OpenID provider ends`, async (test) => {
      const { proxy, endpoint } = await prepare(test);
      let seconds = shortSeconds;
      const credential = await openSource(test, () => signToken(seconds));
      const path = `/default/ending-${version}`;
      const use = { version, endpoint, mode: 'oidc', credential, channel: path } as const;
      const running = await startAmplify({ ...use, scenario: 'follow' });
      await running.waitForLine(/^subscribed$/);
      seconds = longSeconds;
      await test.expect.poll(() => proxy.upgrades(), comesBack).toBe(2);
      const key = await gateway.createKey({ applications: [club] });
      await postUntilEnd(gateway, { key, path, running });
      expect(await findOutcome(running)).toEqual({ errors: [] });
      expect(proxy.upgrades()).toBe(2);
    });

    it.concurrent(`${version}: goes on over one socket beside a channel that its key may not use`, async (test) => {
      const { key, proxy, endpoint } = await prepare(test, ['/default/room']);
      const found = await runAmplify({
        ...{ version, scenario: 'deniedBesideSibling', endpoint, credential: key },
        ...{ channel, denied: '/default/secret' },
      });
      expect(found.published).toBeGreaterThan(3);
      expect(found).toMatchObject({ seen: found.published, errors: [] });
      expect(proxy.upgrades()).toBe(1);
    });

    it.concurrent(`${version}: subscribes again after a restart of the gateway`, async (test) => {
      const restarted = await startTestGateway();
      test.onTestFinished(() => restarted.close());
      const proxy = await startTlsProxy(restarted);
      test.onTestFinished(() => proxy.close());
      const key = await restarted.createKey();
      const { endpoint } = proxy;
      const use = { version, scenario: 'follow', endpoint, channel, credential: key } as const;
      const running = await startAmplify(use);
      await running.waitForLine(/^subscribed$/);
      await restarted.restart();
      await postUntilEnd(restarted, { key, path: channel, running });
      expect(await findOutcome(running)).toEqual({ errors: [] });
    });

    it.concurrent(`${version}: tells so, and gives up, when its key is revoked`, async (test) => {
      const { key, proxy, endpoint } = await prepare(test);
      const use = { version, endpoint, channel, credential: key } as const;
      const running = await startAmplify({ ...use, scenario: 'followToTheEnd' });
      await running.waitForLine(/^subscribed$/);
      await gateway.revokeKey(key);
      const found = await findOutcome(running);
      expect(found.errors).toEqual([expect.stringContaining('UnauthorizedException')]);
      expect(proxy.upgrades()).toBe(2);
    });

    it.concurrent(`${version}: connects, subscribes, publishes on both ways, and closes`, async (test) => {
      const { key, proxy, endpoint } = await prepare(test);
      const use = { version, scenario: 'session', endpoint, channel, credential: key } as const;
      const found = await runAmplify(use);
      expect(found).toMatchObject(wholeSession);
      expect(found.seen).toHaveLength(3);
      expect(proxy.upgrades()).toBe(1);
    });

    it.concurrent(`${version}: does the same with tokens of an OpenID provider`, async (test) => {
      const { endpoint } = await prepare(test);
      const credential = await openSource(test, () => signToken(longSeconds));
      const use = { version, scenario: 'session', endpoint, mode: 'oidc', credential } as const;
      const found = await runAmplify({ ...use, channel: `/default/oidc-${version}` });
      expect(found).toMatchObject(wholeSession);
    });

    it.concurrent(`${version}: does the same with short-lived tokens of a backend`, async (test) => {
      const { key, endpoint } = await prepare(test);
      const request = { channels: [channel], rights: ['publish', 'subscribe'] } as const;
      const credential = await openSource(test, () => gateway.createToken(key, request));
      const use = { version, scenario: 'session', endpoint, mode: 'oidc', credential } as const;
      expect(await runAmplify({ ...use, channel })).toMatchObject(wholeSession);
    });

    it.concurrent(`${version}: does the same with signatures by an IAM key`, async (test) => {
      const { endpoint } = await prepare(test);
      const credential = JSON.stringify(iamKey);
      const use = { version, scenario: 'session', endpoint, mode: 'iam', credential } as const;
      const found = await runAmplify({ ...use, channel: `/default/iam-${version}` });
      expect(found).toMatchObject(wholeSession);
    });

    it.concurrent(`${version}: does the same with a token for a webhook authorizer`, async (test) => {
      const { endpoint } = await prepare(test);
      const use = { version, scenario: 'session', endpoint, mode: 'lambda' } as const;
      const path = `/default/webhook-${version}`;
      const found = await runAmplify({ ...use, credential: opaque, channel: path });
      expect(found).toMatchObject(wholeSession);
      expect(webhook.asked(path).toSorted()).toEqual(['EVENT_PUBLISH', 'EVENT_SUBSCRIBE']);
    });

    it.concurrent(`${version}: has 200 of 1,001 subscriptions, and is told about the others`, async (test) => {
      const { key, proxy, endpoint } = await prepare(test);
      const use = {
        version,
        scenario: 'subscribeMany',
        endpoint,
        channel,
        credential: key,
      } as const;
      expect(await runAmplify(use)).toEqual({
        refused: 801,
        kinds: [expect.stringContaining('MaxSubscriptionsReachedError')],
        errors: [],
      });
      expect(proxy.upgrades()).toBe(1);
    });
  }
});

import type { RunningProcess } from '@posthaste/testbed';
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

const versions: readonly AmplifyVersion[] = ['6-22', '6-20'];
const channel = '/default/room';

/** Publishes again and again, as number 1, until the program ends. */
async function postUntilEnd(
  gateway: TestGateway,
  { key, running }: { readonly key: string; readonly running: RunningProcess },
): Promise<void> {
  while (running.exit === undefined) {
    await gateway.post(key, channel, { n: 1 });
    await Promise.race([running.exited, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

describeWithPostgres('AWS Amplify and the gateway', () => {
  let gateway: TestGateway;
  let applications = 0;

  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway?.close());

  /** Creates a key for an application of its own, and a proxy that ends with the test. */
  async function prepare(
    { onTestFinished }: TestContext,
    channels?: readonly string[],
  ): Promise<{ key: string; proxy: TlsProxy }> {
    const proxy = await startTlsProxy(gateway);
    onTestFinished(() => proxy.close());
    applications += 1;
    const application = `shop-${applications}`;
    const key = await gateway.createKey({
      applications: [application],
      ...(channels && { channels: [...channels] }),
    });
    return { key, proxy };
  }

  for (const version of versions) {
    it.concurrent(`${version}: connects, subscribes, publishes on both ways, and closes`, async (test) => {
      const { key, proxy } = await prepare(test);
      const { endpoint } = proxy;
      const found = await runAmplify({ version, scenario: 'session', endpoint, channel, key });
      expect(found).toMatchObject(wholeSession);
      expect(found.seen).toHaveLength(3);
      expect(proxy.upgrades()).toBe(1);
    });

    it.concurrent(`${version}: does the same with short-lived tokens of a token provider`, async (test) => {
      const { key, proxy } = await prepare(test);
      const { token } = await gateway.createToken(key, {
        channels: [channel],
        rights: ['publish', 'subscribe'],
      });
      const found = await runAmplify({
        ...{ version, scenario: 'session', endpoint: proxy.endpoint, channel },
        tokens: [{ text: token }],
      });
      expect(found).toMatchObject(wholeSession);
    });

    it.concurrent(`${version}: goes on over one socket beside a channel that its key may not use`, async (test) => {
      const { key, proxy } = await prepare(test, ['/default/room']);
      const found = await runAmplify({
        ...{ version, scenario: 'deniedBesideSibling', endpoint: proxy.endpoint },
        ...{ channel, denied: '/default/secret', key },
      });
      expect(found.published).toBeGreaterThan(3);
      expect(found).toMatchObject({ seen: found.published, errors: [] });
      expect(proxy.upgrades()).toBe(1);
    });

    it.concurrent(`${version}: comes back with a fresh token when the first one ends`, async (test) => {
      const { key, proxy } = await prepare(test);
      const tokens = await Promise.all(
        [6, 300].map(async (expiresInSeconds) => {
          const request = { channels: [channel], rights: ['subscribe'], expiresInSeconds } as const;
          const { token, expiresAt } = await gateway.createToken(key, request);
          return { text: token, exp: Date.parse(expiresAt) / 1_000 };
        }),
      );
      const running = await startAmplify({
        ...{ version, scenario: 'follow', endpoint: proxy.endpoint, channel, tokens },
      });
      await running.waitForLine(/^subscribed$/);
      await test.expect.poll(() => proxy.upgrades()).toBe(2);
      await postUntilEnd(gateway, { key, running });
      expect(await findOutcome(running)).toEqual({ errors: [] });
      expect(proxy.upgrades()).toBe(2);
    });

    it.concurrent(`${version}: gives up, and tells so, when its only credential ends`, async (test) => {
      const { key, proxy } = await prepare(test);
      const { token } = await gateway.createToken(key, {
        ...{ channels: [channel], rights: ['subscribe'], expiresInSeconds: 5 },
      });
      const found = await runAmplify({
        ...{ version, scenario: 'followToTheEnd', endpoint: proxy.endpoint, channel, key: token },
      });
      expect(found.errors).toEqual([expect.stringContaining('UnauthorizedException')]);
      expect(proxy.upgrades()).toBe(2);
    });

    it.concurrent(`${version}: subscribes again after a restart of the gateway`, async (test) => {
      const { onTestFinished } = test;
      const restarted = await startTestGateway();
      onTestFinished(() => restarted.close());
      const proxy = await startTlsProxy(restarted);
      onTestFinished(() => proxy.close());
      const key = await restarted.createKey();
      const running = await startAmplify({
        ...{ version, scenario: 'follow', endpoint: proxy.endpoint, channel, key },
      });
      await running.waitForLine(/^subscribed$/);
      await restarted.restart();
      await postUntilEnd(restarted, { key, running });
      expect(await findOutcome(running)).toEqual({ errors: [] });
    });

    it.concurrent(`${version}: has 200 of 1,001 subscriptions, and is told about the others`, async (test) => {
      const { key, proxy } = await prepare(test);
      const { endpoint } = proxy;
      const use = { version, scenario: 'subscribeMany', endpoint, channel, key } as const;
      expect(await runAmplify(use)).toEqual({
        refused: 801,
        kinds: [expect.stringContaining('MaxSubscriptionsReachedError')],
        errors: [],
      });
      expect(proxy.upgrades()).toBe(1);
    });
  }
});

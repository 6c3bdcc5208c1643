import { createHash, X509Certificate } from 'node:crypto';
import { findChromium, readTestCertificate } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startTestGateway, type TestGateway } from './gateway.js';
import { type PageServer, startPageServer } from './page-server.js';
import { startTlsProxy, type TlsProxy } from './tls-proxy.js';

const program = await findChromium();
const describeWithBrowser = program ? describeWithPostgres : describe.skip;
const first = '/default/first';

/** Opens a browser that trusts the certificate of the tests. */
async function openBrowser(): Promise<Browser> {
  const { cert } = await readTestCertificate();
  const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  const pin = createHash('sha256').update(key).digest('base64');
  return chromium.launch({
    executablePath: program ?? '',
    args: [
      ...['--no-sandbox', '--disable-dev-shm-usage'],
      `--ignore-certificate-errors-spki-list=${pin}`,
    ],
  });
}

describeWithBrowser('a page in Chromium and the gateway', () => {
  let browser: Browser;
  let gateway: TestGateway;
  let pages: PageServer;
  let proxy: TlsProxy;
  let key: string;
  let tokenSeconds: number;

  beforeAll(async () => {
    browser = await openBrowser();
    pages = await startPageServer({
      endpoint: () => proxy.endpoint,
      async makeToken() {
        const channels = ['/default/*'];
        const rights = ['publish', 'subscribe'] as const;
        const request = { channels, rights, expiresInSeconds: tokenSeconds };
        return gateway.createToken(key, request);
      },
    });
    gateway = await startTestGateway({ POSTHASTE_CORS_ORIGINS: pages.origin });
    proxy = await startTlsProxy(gateway);
    key = await gateway.createKey();
  });
  afterAll(async () => {
    await browser?.close();
    await proxy?.close();
    await Promise.all([gateway?.close(), pages?.close()]);
  });

  /** Opens the page, whose tokens are valid for some time, and waits until it has subscribed. */
  async function openPage(seconds = 900, query = ''): Promise<{ page: Page; faults: string[] }> {
    tokenSeconds = seconds;
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`${pages.origin}/${query}`);
    await expect.poll(() => textOf(page, 'status')).toBe(`subscribed ${first}`);
    return { page, faults };
  }

  const textOf = (page: Page, id: string) => page.locator(`#${id}`).textContent();
  const subscriptions = () => gateway.readMetric('posthaste_realtime_subscriptions');

  it('subscribes and publishes with the hook, once under StrictMode, until it unmounts', async () => {
    const { page, faults } = await openPage();
    await expect.poll(subscriptions).toBe(1);
    await page.click('#publish');
    await expect.poll(() => textOf(page, 'events')).toBe('{"over":"websocket"}');

    await page.click('#change');
    await expect.poll(() => textOf(page, 'status')).toBe('subscribed /default/second');
    await expect.poll(subscriptions).toBe(1);
    await page.click('#post');
    await expect.poll(() => textOf(page, 'events')).toBe('{"over":"websocket"} {"over":"http"}');

    await page.evaluate('unmount()');
    await expect.poll(subscriptions).toBe(0);
    expect(faults).toEqual([]);
  });

  it('comes back with a fresh token when the first one ends', async () => {
    const { page } = await openPage(4);
    const made = pages.tokens();
    tokenSeconds = 900;
    await expect.poll(() => page.evaluate('states')).toEqual(['open', 'reconnecting', 'open']);
    expect(pages.tokens()).toBeGreaterThan(made);
    await expect.poll(() => textOf(page, 'gaps')).toBe('1');
    await gateway.post(key, first, 'later');
    await expect.poll(() => textOf(page, 'events')).toBe('"later"');
  });

  it('of another origin may use AWS Amplify, over WebSocket and HTTP', async () => {
    tokenSeconds = 900;
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(`${pages.origin}/amplify`);
    await expect.poll(() => textOf(page, 'root')).toBe('{"over":"websocket"} {"over":"http"}');
  });

  it('has missed nothing after it was cut off, if it asks to resume', async () => {
    const { page } = await openPage(900, '?resume');
    proxy.cut();
    for (const event of [1, 2, 3]) await gateway.post(key, first, event);
    await expect.poll(() => page.evaluate('states')).toEqual(['open', 'reconnecting', 'open']);
    await expect.poll(() => textOf(page, 'events')).toBe('1 2 3');
    expect(await textOf(page, 'gaps')).toBe('0');
  });

  it('is cut off while it does not read, comes back, and is told of the gap', async () => {
    const slow = () => gateway.readMetric('posthaste_realtime_slow_consumers_total');
    const { page } = await openPage();
    const before = await slow();
    const held = page.evaluate('hold()');
    while ((await slow()) === before) {
      expect(await gateway.post(key, first, 'x'.repeat(200_000))).toBe(200);
    }
    pages.release();
    await held;
    await expect.poll(() => textOf(page, 'gaps')).toBe('1');
    await gateway.post(key, first, 'later');
    await expect.poll(() => textOf(page, 'events')).toContain('"later"');
  });
});

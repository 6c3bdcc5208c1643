import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createApiKeyAuthorizer, createRealtimeServer } from '@posthaste/appsync-server';
import { findChromium } from '@posthaste/testbed';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';

const program = await findChromium();

/** Bundles the page for browsers, as an application does. */
async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('browser-page.ts', import.meta.url))],
    ...{ bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2022' },
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0]?.text ?? '';
}

/** Starts a server of the page and of its channels. */
async function startPage() {
  const script = await bundlePage();
  const realtime = createRealtimeServer({
    authorizers: [createApiKeyAuthorizer(['da2-page'])],
    namespaces: [{ name: 'default' }],
  });
  const http = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    const html = '<div id="root"></div><script type="module" src="/page.js"></script>';
    response.end(isScript ? script : html);
  });
  realtime.attach(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await realtime.close({ drainMs: 0 });
    http.closeAllConnections();
    http.close();
  });
  return { realtime, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/` };
}

async function openBrowser(executablePath: string) {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  onTestFinished(() => browser.close());
  return browser.newPage();
}

describe.runIf(program)('a page in Chromium', () => {
  it('subscribes and publishes with the hook, once under StrictMode, until it unmounts', async () => {
    const { realtime, url } = await startPage();
    const page = await openBrowser(program ?? '');
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(url);
    const text = (id: string) => page.locator(`#${id}`).textContent();

    await expect.poll(() => text('status')).toBe('subscribed /default/first');
    await expect.poll(() => realtime.counts().subscriptions).toBe(1);
    await page.click('#publish');
    await expect.poll(() => text('events')).toBe('{"from":"/default/first"}');

    await page.click('#change');
    await expect.poll(() => text('status')).toBe('subscribed /default/second');
    await expect
      .poll(() => realtime.channels('').map(({ channel }) => channel))
      .toEqual(['/default/second']);
    await page.click('#publish');
    await expect
      .poll(() => text('events'))
      .toBe('{"from":"/default/first"} {"from":"/default/second"}');

    await page.evaluate('unmount()');
    await expect.poll(() => realtime.counts().subscriptions).toBe(0);
    expect(faults).toEqual([]);
  });
});

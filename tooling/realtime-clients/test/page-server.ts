import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { readTestCertificate } from '@posthaste/testbed';
import { build } from 'esbuild';

/** Backend of two pages, `/` and `/amplify`: it serves them, and makes their tokens. */
export interface PageServer {
  /** `https://localhost:<port>` */
  readonly origin: string;
  /** Tokens that were made so far. */
  tokens(): number;
  /** Answers the request that holds up the page. */
  release(): void;
  close(): Promise<void>;
}

/** Dependencies of the backend. */
export interface PageServerDeps {
  /** Endpoint that the page connects to. */
  readonly endpoint: () => string;
  readonly makeToken: () => Promise<string>;
}

const toHtml = (script: string) =>
  `<div id="root"></div><script type="module" src="${script}"></script>`;

/** Starts the backend over TLS. */
export async function startPageServer({
  endpoint,
  makeToken,
}: PageServerDeps): Promise<PageServer> {
  const [script, amplifyScript] = await Promise.all([
    bundle(new URL('browser-page.ts', import.meta.url)),
    bundle(new URL('amplify-page.ts', import.meta.url)),
  ]);
  let tokens = 0;
  const held = Promise.withResolvers<string>();
  const answers: Readonly<Record<string, () => readonly [string, string | Promise<string>]>> = {
    '/': () => ['text/html', toHtml('/page.js')],
    '/page.js': () => ['text/javascript', script],
    '/amplify': () => ['text/html', toHtml('/amplify.js')],
    '/amplify.js': () => ['text/javascript', amplifyScript],
    '/settings.json': () => ['application/json', JSON.stringify({ endpoint: endpoint() })],
    '/hold': () => ['text/plain', held.promise],
    '/token': () => {
      tokens += 1;
      return ['text/plain', makeToken()];
    },
  };
  const server = createServer(await readTestCertificate(), async (request, response) => {
    const [type, body] = answers[request.url?.split('?')[0] ?? '']?.() ?? ['text/plain', ''];
    response.setHeader('content-type', type);
    response.end(await body);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    tokens: () => tokens,
    release: () => held.resolve(''),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Bundles a script for browsers, as an application does. */
async function bundle(file: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(file)],
    ...{ bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2022' },
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0]?.text ?? '';
}

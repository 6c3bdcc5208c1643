import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { run } from './packed-packages.js';

/** Script of a page: subscribes, publishes, and resolves to the event that comes. */
const page = `
import { connect, createApiKeyConfig } from '@posthaste/appsync-client';

export async function talk(host: string): Promise<string | undefined> {
  const client = await connect(createApiKeyConfig(\`http://\${host}/event\`, undefined, 'da2-key'));
  const subscription = client.subscribe('/default/room');
  await subscription.ready;
  await client.publishJson('/default/room', ['from the page']);
  for await (const { event } of subscription) {
    client.close();
    return event;
  }
  return undefined;
}`;

/**
 * Program that starts a server, and runs the page in a context with nothing but the language and some
 * functions that browsers have. It prints the event.
 */
const program = `
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createContext, runInContext } from 'node:vm';
import { createApiKeyAuthorizer, createRealtimeServer } from '@posthaste/appsync-server';

const realtime = createRealtimeServer({
  authorizers: [createApiKeyAuthorizer(['da2-key'])],
  namespaces: [{ name: 'default' }],
});
const server = createServer();
realtime.attach(server);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { AbortController, AbortSignal, TextEncoder, URL, WebSocket } = globalThis;
const { btoa, clearTimeout, crypto, fetch, performance, queueMicrotask, setTimeout } = globalThis;
const context = createContext({
  ...{ AbortController, AbortSignal, TextEncoder, URL, WebSocket },
  ...{ btoa, clearTimeout, crypto, fetch, performance, queueMicrotask, setTimeout },
});
runInContext(readFileSync('page.js', 'utf8'), context);
context.host = \`127.0.0.1:\${server.address().port}\`;
console.log(await runInContext('page.talk(host)', context));
await realtime.close({ drainMs: 0 });
server.close();`;

/**
 * Bundles a page for browsers with the packed client, and runs it against the packed server. Resolves to
 * the script and to the output of the run.
 * @param project folder that both are installed in
 */
export async function runBrowserBuild(
  project: string,
): Promise<{ readonly script: string; readonly output: string }> {
  const { outputFiles } = await build({
    stdin: { contents: page, loader: 'ts', resolveDir: project },
    ...{ bundle: true, minify: true, write: false, format: 'iife', globalName: 'page' },
    platform: 'browser',
  });
  const script = outputFiles[0]?.text ?? '';
  await writeFile(join(project, 'page.js'), script);
  await writeFile(join(project, 'program.mjs'), program);
  return { script, output: await run(process.execPath, ['program.mjs'], project) };
}

import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningProcess } from '@posthaste/testbed';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import {
  type Environment,
  emptyFolder,
  posthasteProcess,
  startPosthaste,
  waitOptions,
} from '../../../test/posthaste.js';

interface Started {
  readonly process: RunningProcess;
  readonly endpoint: string;
  /** Certificate to trust; undefined without TLS. */
  readonly ca: string | undefined;
}

interface Client {
  readonly frames: Record<string, unknown>[];
  send(frame: object): void;
}

const chat = `
export default {
  namespaces: [
    'default',
    {
      name: 'chat',
      handlers: {
        onPublish: ({ events }) => events.map(({ id, payload }) => ({ id, payload: { ...payload, seen: true } })),
        onSubscribe: (context) => {
          if (context.info.channel.segments[1] === 'private') context.unauthorized();
        },
      },
    },
  ],
  apiKeys: ['da2-for-tests'],
  region: 'eu-west-1',
};
`;

async function start(args: readonly string[], env: Environment = {}): Promise<Started> {
  const all = ['realtime', '--port', '0', ...args];
  const process = await startPosthaste(all, env, /\}\);/);
  onTestFinished(async () => void (await process.close()));
  const [, endpoint = ''] = /listens on (\S+)/.exec(process.output) ?? [];
  const [, file] = /NODE_EXTRA_CA_CERTS=(\S+)/.exec(process.output) ?? [];
  return { process, endpoint, ca: file && (await readFile(file, 'utf8')) };
}

async function connect({ endpoint, ca }: Started, apiKey: string): Promise<Client> {
  const { host } = new URL(endpoint);
  const credential = Buffer.from(JSON.stringify({ host, 'x-api-key': apiKey }));
  const url = `${endpoint.replace(/^http/, 'ws')}/realtime`;
  const protocols = ['aws-appsync-event-ws', `header-${credential.toString('base64url')}`];
  const socket = new WebSocket(url, protocols, ca === undefined ? {} : { ca });
  onTestFinished(() => socket.terminate());
  const frames: Record<string, unknown>[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  await once(socket, 'open');
  const send = (frame: object): void => socket.send(JSON.stringify(frame));
  send({ type: 'connection_init' });
  return { frames, send };
}

const authorization = { 'x-api-key': 'da2-for-tests' };

async function configFile(text = chat): Promise<string> {
  const file = join(await emptyFolder(), 'realtime.config.mjs');
  await writeFile(file, text);
  return file;
}

describe('posthaste realtime', () => {
  it('serves over TLS with a certificate that it keeps', async () => {
    const env = { XDG_CACHE_HOME: await emptyFolder() };
    const args = ['--tls', '--config', await configFile()];
    const first = await start(args, env);
    expect(first.endpoint).toMatch(/^https:\/\/localhost:\d+\/event$/);
    expect(first.process.output).toContain(`endpoint: '${first.endpoint}'`);
    expect(first.process.output).toContain("region: 'eu-west-1'");
    const client = await connect(first, 'da2-for-tests');
    client.send({ type: 'subscribe', id: 's', channel: '/chat/room', authorization });
    client.send({
      type: 'publish',
      id: 'p',
      channel: '/chat/room',
      events: ['{"n":1}'],
      authorization,
    });
    await expect
      .poll(() => client.frames.find(({ type }) => type === 'data'), waitOptions)
      .toMatchObject({ id: 's', event: '{"n":1,"seen":true}' });
    const { output } = first.process;
    expect(output).toMatch(/subscribe {2}\/chat\/room {2}API_KEY/);
    expect(output).toMatch(/publish {4}\/chat\/room {2}1 event {2}API_KEY/);
    expect((await start(args, env)).ca).toBe(first.ca);
  });

  it('refuses keys that the configuration does not have, and subscribers that its handler refuses', async () => {
    const started = await start(['--config', await configFile()]);
    const stranger = await connect(started, 'another');
    await expect
      .poll(() => stranger.frames[0], waitOptions)
      .toMatchObject({
        type: 'connection_error',
        errors: [{ errorType: 'UnauthorizedException' }],
      });
    const client = await connect(started, 'da2-for-tests');
    client.send({ type: 'subscribe', id: 's', channel: '/chat/private', authorization });
    await expect
      .poll(() => client.frames.find(({ id }) => id === 's'), waitOptions)
      .toMatchObject({ type: 'subscribe_error', errors: [{ errorType: 'Forbidden' }] });
    expect(started.process.output).not.toContain('another');
    expect(started.process.output).not.toMatch(/(?:connect|subscribe|publish).*da2-for-tests/);
  });

  it('refuses as AWS does with --strict-aws', async () => {
    const started = await start(['--strict-aws', '--config', await configFile()]);
    const client = await connect(started, 'da2-for-tests');
    client.send({ type: 'subscribe', id: 's', channel: '/chat/private', authorization });
    await expect
      .poll(() => client.frames.find(({ id }) => id === 's'), waitOptions)
      .toMatchObject({ errors: [{ errorType: 'Unauthorized' }] });
  });

  it('accepts any key without a configuration, and says so', async () => {
    const started = await start(['-o', 'json']);
    expect(started.process.output).toContain('Any text is accepted as an API key.');
    const answer = await fetch(started.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'whatever' },
      body: JSON.stringify({ channel: '/default/a', events: ['1', '2'] }),
    });
    expect([answer.status, await answer.json()]).toMatchObject([200, { successful: [{}, {}] }]);
    await expect
      .poll(() => started.process.output, waitOptions)
      .toMatch(/"operation":"publish","channel":"\/default\/a","events":2/);
    expect(await started.process.terminate()).toMatchObject({ code: 0 });
  });

  it('takes tokens of 30 KB and limits of its configuration, and no upgrade for another path', async () => {
    const file = await configFile('export default { limits: { eventsPerPublish: 1 } };');
    const { endpoint } = await start(['--config', file]);
    const post = async (events: string[], headers: Record<string, string>) =>
      fetch(endpoint, {
        method: 'POST',
        headers: { 'x-api-key': 'any', ...headers },
        body: JSON.stringify({ channel: '/default/a', events }),
      }).then(({ status }) => status);
    expect(await post(['1'], { 'x-token': 'x'.repeat(30_000) })).toBe(200);
    expect(await post(['1', '2'], {})).toBe(400);
    const socket = new WebSocket(`${endpoint.replace(/^http/, 'ws')}/other`);
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain('404');
  });

  it('says what is wrong with a configuration', async () => {
    const file = await configFile('export default { namespace: [] };');
    const { code, stderr } = await posthasteProcess(['realtime', '--config', file]);
    expect([code, stderr]).toEqual([78, expect.stringContaining("'namespace' is not known")]);
    const missing = await posthasteProcess(['realtime', '--config', 'nothing.json']);
    expect([missing.code, missing.stderr]).toEqual([78, expect.stringContaining('nothing.json')]);
  });

  it('gets what posthaste realtime publish sends', async () => {
    const started = await start(['--config', await configFile()]);
    const client = await connect(started, 'da2-for-tests');
    client.send({ type: 'subscribe', id: 's', channel: '/chat/*', authorization });
    await expect
      .poll(() => client.frames.some(({ type }) => type === 'subscribe_success'), waitOptions)
      .toBe(true);
    const env = {
      POSTHASTE_URL: new URL(started.endpoint).origin,
      POSTHASTE_API_KEY: 'da2-for-tests',
    };
    const publish = (...args: string[]) => posthasteProcess(['realtime', 'publish', ...args], env);
    const { code, stdout } = await publish('/chat/room', '{"n":1}', '{"n":2}', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { successful: [{ index: 0 }, { index: 1 }] },
    ]);
    await expect
      .poll(() => client.frames.filter(({ type }) => type === 'data'), waitOptions)
      .toMatchObject([{ event: '{"n":1,"seen":true}' }, { event: '{"n":2,"seen":true}' }]);
    expect(await publish('/chat/room', 'text')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not JSON'),
    });
    expect(await publish('/nowhere/room', '1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('UnauthorizedException'),
    });
  });

  it('sends posthaste realtime subscribe what is published', async () => {
    const started = await start(['--config', await configFile()]);
    const env = {
      POSTHASTE_URL: new URL(started.endpoint).origin,
      POSTHASTE_API_KEY: 'da2-for-tests',
    };
    const args = ['realtime', 'subscribe', '/default/*', '--json'];
    const subscriber = await startPosthaste(args, env, /subscribed/);
    onTestFinished(async () => void (await subscriber.close()));
    await posthasteProcess(['realtime', 'publish', '/default/a', '{"n":1}'], env);
    await expect.poll(() => subscriber.output, waitOptions).toContain('"event":"{\\"n\\":1}"');
    expect(await subscriber.terminate()).toMatchObject({ code: 0 });
  });
});

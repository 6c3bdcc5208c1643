import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Receiver, startReceiver } from '@posthaste/testbed';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  emptyFolder,
  newDatabase,
  posthaste,
  startPlatform,
  waitOptions,
} from '../../test/posthaste.js';

let receiver: Receiver;
let env: { POSTHASTE_URL: string };

beforeAll(async () => {
  receiver = await startReceiver();
  const { url } = await startPlatform(await newDatabase());
  env = { POSTHASTE_URL: url };
});

afterEach(() => {
  receiver.follow(200);
  receiver.clear();
});
afterAll(() => receiver.close());

/** Sends a callback and returns its id. */
async function send(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(['callbacks', 'send', ...args], env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trim();
}

/** Runs `posthaste callbacks …` and returns its output. */
async function output(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(['callbacks', ...args], env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

describe('posthaste callbacks', () => {
  it('sends a callback with the given method, body and header', async () => {
    const hook = `${receiver.url}/hook`;
    const id = await send(hook, '-X', 'PUT', '-d', 'späte Post', '-H', 'X-Shop: berlin: mitte');
    const [request] = await receiver.waitFor(1);
    expect(request).toMatchObject({ method: 'PUT', path: '/hook' });
    expect(request?.headers).toMatchObject({ 'webhook-id': id, 'x-shop': 'berlin: mitte' });
    expect(request?.body.toString()).toBe('späte Post');
  });

  it('sends the bytes of a file or of standard input, and GET without a body', async () => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    const file = join(await emptyFolder(), 'body');
    await writeFile(file, bytes);
    await send(receiver.url, '-d', `@${file}`, '-q', 'order');
    await posthaste(['callbacks', 'send', receiver.url, '-d', '@-', '-q', 'order'], env, 'typed');
    await send(receiver.url, '-q', 'order');
    const requests = await receiver.waitFor(3);
    expect(requests.map(({ method, body }) => [method, body])).toEqual([
      ['POST', bytes],
      ['POST', Buffer.from('typed')],
      ['GET', Buffer.alloc(0)],
    ]);
  });

  it('sends JSON and text with their content types, unless a header names one', async () => {
    for (const args of [
      ['{"order": 4711}'],
      ['späte Post'],
      ['{"order": 4711}', '-H', 'Content-Type: application/vnd.shop+json'],
    ]) {
      await send(receiver.url, '-q', 'typed', '-d', ...args);
    }
    const requests = await receiver.waitFor(3);
    expect(requests.map(({ headers }) => headers['content-type'])).toEqual([
      'application/json',
      'text/plain; charset=utf-8',
      'application/vnd.shop+json',
    ]);
  });

  it('sends a callback once under one idempotency key', async () => {
    const args = [receiver.url, '--idempotency-key', 'once'] as const;
    const ids = [await send(...args), await send(...args)];
    expect(new Set(ids).size).toBe(1);
  });

  it('lists newest first, as a table or as JSON, page by page', async () => {
    const first = await send(receiver.url, '-a', 'listed');
    const second = await send(receiver.url, '-a', 'listed', '-q', 'orders');
    const lines = async () => (await output('list', '-a', 'listed')).trimEnd().split('\n');
    await expect
      .poll(async () => (await lines()).map((line) => line.split(/ {2,}/).slice(0, 5)), waitOptions)
      .toEqual([
        ['ID', 'STATE', 'LAST', 'APPLICATION', 'QUEUE'],
        [second, 'delivered', '200', 'listed', 'orders'],
        [first, 'delivered', '200', 'listed', '-'],
      ]);
    const page = JSON.parse(await output('list', '-a', 'listed', '-n', '1', '--json'));
    expect(page.items).toMatchObject([{ id: second, state: 'delivered' }]);
    const next = await output('list', '-a', 'listed', '-n', '1', '--cursor', page.next);
    expect(next).toContain(first);
    expect(await output('list', '-a', 'listed', '-s', 'failed')).toMatch(/^ID .*\n$/);
  });

  it('shows a callback with its attempts, as text or as JSON', async () => {
    receiver.follow([503, 200]);
    const id = await send(receiver.url, '--retries', '3', '--delay-ms', '10');
    await expect.poll(() => output('show', id), waitOptions).toMatch(/^state +delivered$/m);
    expect(await output('show', id)).toMatch(/ {2}1\. .* 503 {2}the receiver answered 503\n/);
    expect(JSON.parse(await output('show', id, '--json'))).toMatchObject({
      id,
      attempts: [{ statusCode: 503 }, { statusCode: 200 }],
    });
  });

  it('retries, replays and cancels a callback', async () => {
    receiver.follow([500, 200]);
    const id = await send(receiver.url, '--retries', '3', '--delay-ms', '3600000');
    await expect.poll(() => output('show', id), waitOptions).toMatch(/1\. .* 500/);
    expect(JSON.parse(await output('retry', id, '-o', 'json'))).toMatchObject({ id });
    await expect.poll(() => output('show', id), waitOptions).toMatch(/^state +delivered$/m);
    await output('replay', id);
    await receiver.waitFor(3);

    receiver.follow(500);
    const hopeless = await send(receiver.url, '--retries', '3', '--delay-ms', '3600000');
    await expect.poll(() => output('show', hopeless), waitOptions).toMatch(/1\. .* 500/);
    expect(await output('cancel', hopeless)).toBe(`${hopeless} is cancelled\n`);
  });

  it.each([
    ['an unknown callback', ['show', '019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11'], 'CALLBACK_NOT_FOUND'],
    ['a wrong URL', ['send', 'ftp://example.com'], 'CALLBACK_INVALID'],
    [
      'a file that does not exist',
      ['send', 'http://localhost', '-d', '@missing'],
      'REQUEST_INVALID',
    ],
    ['a wrong cursor', ['list', '--cursor', 'x'], 'REQUEST_INVALID'],
  ])('reports %s in one line, with its code', async (_case, args, code) => {
    const result = await posthaste(['callbacks', ...args], env);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(new RegExp(`^.+ \\(${code}\\)\n$`));
  });

  it('reports a gateway that does not answer, or an address that is no gateway', async () => {
    const list = (url: string) => posthaste(['callbacks', 'list'], { POSTHASTE_URL: url });
    expect(await list('http://127.0.0.1:1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Is Posthaste running?'),
    });
    expect(await list(receiver.url)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('answered 200, but not like Posthaste'),
    });
    expect(await posthaste(['callbacks', 'list'], { POSTHASTE_PORT: '1' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1 does not answer/),
    });
    expect(await list('127.0.0.1')).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('POSTHASTE_URL is "127.0.0.1"'),
    });
  });

  it.each([
    [['callbacks', 'send', 'http://localhost', '-H', 'nonsense'], 'Write it as "name: value".'],
    [['callbacks', 'list', '-n', '501'], 'It must be a whole number from 1 to 500.'],
    [['callbacks', 'lsit'], 'Did you mean list?'],
  ])('exits with 64 on %j, and says what is wrong with it', async (args, message) => {
    const { code, stderr } = await posthaste(args, env);
    expect(code).toBe(64);
    expect(stderr).toContain(message);
  });
});

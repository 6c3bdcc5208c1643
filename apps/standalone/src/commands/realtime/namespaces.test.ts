import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, createApiKeyConfig } from '@posthaste/appsync-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, posthaste, startPlatform, waitOptions } from '../../../test/posthaste.js';

let env: { POSTHASTE_URL: string };
let folder: string;
let client: Awaited<ReturnType<typeof connect>>;

beforeAll(async () => {
  folder = await emptyFolder();
  const { url } = await startPlatform({ POSTHASTE_DATA_DIR: await emptyFolder() });
  env = { POSTHASTE_URL: url };
  client = await connect(createApiKeyConfig(`${url}/event`, undefined, 'any-key'));
});
afterAll(() => client?.close());

/** Runs a command and returns its output. */
async function output(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(['realtime', ...args], env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.split(/ {2,}/));

describe('posthaste realtime', () => {
  it('creates, lists and deletes namespaces', async () => {
    const file = join(folder, 'schema.json');
    await writeFile(file, '{"required":["text"]}');
    const create = ['namespaces', 'create', 'chat', '-a', 'shop', '--history', '5', '--no-durable'];
    const more = ['--subscribe-modes', 'API_KEY', 'AWS_IAM', '--schema', `@${file}`];
    const forward = ['--forward-topic', 'chat', '--forward-name', 'chat.said', '--json'];
    expect(JSON.parse(await output(...create, ...more, ...forward))).toMatchObject({
      application: 'shop',
      schema: { required: ['text'] },
      maxEventBytes: 245_760,
    });
    expect(await output('namespaces', 'create', 'news')).toBe('news\n');
    expect(rowsOf(await output('namespaces', 'list', '-a', 'shop'))).toEqual([
      ['chat', 'shop', 'no', '5', 'any', 'API_KEY AWS_IAM', 'chat.said in chat', 'api'],
      ['default', '(all)', 'yes', '100', 'any', 'any', '-', 'api'],
      ['news', '(all)', 'yes', '100', 'any', 'any', '-', 'api'],
    ]);
    expect(await output('namespaces', 'delete', 'news')).toBe('news is removed\n');
    const own = await posthaste(['realtime', 'namespaces', 'delete', 'chat'], env);
    expect([own.code, own.stderr]).toEqual([1, expect.stringContaining('NAMESPACE_NOT_FOUND')]);
    expect(await output('namespaces', 'delete', 'chat', '-a', 'shop')).toBe('chat is removed\n');
  });

  it('says what is wrong with a namespace', async () => {
    const failed = async (...args: string[]) =>
      (await posthaste(['realtime', 'namespaces', 'create', ...args], env)).stderr;
    expect(await failed('a/b')).toContain('REQUEST_INVALID');
    expect(await failed('a', '--schema', 'x')).toContain('--schema is not JSON');
    expect(await failed('a', '--forward-topic', 'x')).toContain('belong together');
    expect(await failed('a', '--schema', '{"pattern":"x"}')).toContain('schema has the keyword');
    expect(await failed('default')).toContain('NAMESPACE_EXISTS');
  });

  it('lists channels with their subscribers', async () => {
    await client.subscribe('/default/room').ready;
    const list = async () => rowsOf(await output('channels', '--prefix', '/default/'));
    await expect.poll(list, waitOptions).toEqual([['/default/room', '1', '-']]);
    const listed = JSON.parse(await output('channels', '--json', '--prefix', '/posthaste/'));
    expect(listed.items).toContainEqual({
      ...{ channel: '/posthaste/callbacks', subscribers: 0, topic: 'callbacks' },
    });
  });
});

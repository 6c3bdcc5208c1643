import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlatformError } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { readRealtimeFile } from './realtime-file.js';

const oidc = { type: 'oidc', application: 'shop', issuer: 'https://id.example' };
const iam = {
  type: 'iam',
  application: 'shop',
  keys: [{ accessKeyId: 'AKIA1', secretAccessKey: 'secret-1' }],
};

const deps = {
  http: { send: async () => never() },
  states: { isDeleting: () => false },
  onError: never,
};

async function write(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'realtime-')), 'realtime.json');
  await writeFile(path, text);
  return path;
}

/** Returns the message of the refusal of a file, without its first line. */
async function refusal(content: unknown): Promise<string> {
  const path = await write(typeof content === 'string' ? content : JSON.stringify(content));
  try {
    readRealtimeFile(path);
  } catch (error) {
    expect(error).toBeInstanceOf(PlatformError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message.split('\n').slice(1).join('\n');
  }
  throw new Error('the file was accepted');
}

it('has nothing without a path', () => {
  const file = readRealtimeFile(undefined);
  expect(file.namespaces).toEqual([]);
  expect(file.createAuthorizers(deps)).toEqual([]);
});

it('has namespaces, and authorizers of each type, webhooks last', async () => {
  const path = await write(
    JSON.stringify({
      namespaces: [{ name: 'chat', application: 'shop', history: 50, schema: null }],
      authorizers: [
        { type: 'webhook', application: 'shop', url: 'http://10.0.0.1/auth', ttlSeconds: 0 },
        { ...oidc, audience: ['web', 'app'] },
        { type: 'cognito', application: 'pay', userPoolId: 'eu-west-1_abc', clientId: 'web' },
        { ...iam, region: 'eu-west-1' },
      ],
    }),
  );
  const file = readRealtimeFile(path);
  expect(file.namespaces).toEqual([{ name: 'chat', application: 'shop', history: 50 }]);
  expect(file.applications).toEqual(['shop', 'pay']);
  const authorizers = file.createAuthorizers(deps);
  expect(authorizers.map(({ mode }) => mode)).toEqual([
    'OPENID_CONNECT',
    'AMAZON_COGNITO_USER_POOLS',
    'AWS_IAM',
    'AWS_LAMBDA',
  ]);
});

it.each([
  ['no application', { authorizers: [{ ...oidc, application: undefined }] }, 'application'],
  ['several applications', { authorizers: [{ ...iam, application: ['a', 'b'] }] }, 'application'],
  ['an empty application', { authorizers: [{ ...oidc, application: '' }] }, 'application'],
  ['no type', { authorizers: [{ application: 'shop' }] }, 'type'],
  ['an unknown type', { authorizers: [{ ...oidc, type: 'toString' }] }, 'type'],
  ['no issuer', { authorizers: [{ ...oidc, issuer: undefined }] }, 'issuer'],
  ['an issuer that is no address', { authorizers: [{ ...oidc, issuer: 'id' }] }, 'issuer'],
  ['an audience that is no text', { authorizers: [{ ...oidc, audience: 7 }] }, 'audience'],
  ['an unknown member', { authorizers: [{ ...oidc, audiences: 'web' }] }, 'audiences'],
  [
    'a pool without a region',
    { authorizers: [{ type: 'cognito', application: 'shop', userPoolId: 'abc' }] },
    'userPoolId',
  ],
  ['no keys', { authorizers: [{ ...iam, keys: [] }] }, 'keys'],
  ['a key without a secret', { authorizers: [{ ...iam, keys: [{ accessKeyId: 'A' }] }] }, 'keys'],
  [
    'a webhook at no address',
    { authorizers: [{ type: 'webhook', application: 'shop', url: 'ftp://x' }] },
    'url',
  ],
  [
    'a webhook with a bad time',
    { authorizers: [{ type: 'webhook', application: 'shop', url: 'http://x', timeoutMs: 0 }] },
    'timeoutMs',
  ],
])('refuses an authorizer with %s, and names the member', async (_, content, member) => {
  const message = await refusal(content);
  expect(message).toMatch(
    new RegExp(`^ {2}- POSTHASTE_REALTIME_CONFIG: authorizers\\[0\\]\\.${member} `),
  );
  expect(message.split('\n')).toHaveLength(1);
});

it.each([
  ['a name with a slash', { name: 'a/b' }, 'name'],
  ['the name of the platform', { name: 'posthaste' }, 'name'],
  ['a wrong application', { name: 'a', application: 7 }, 'application'],
  ['a negative history', { name: 'a', history: -1 }, 'history'],
  ['an unknown setting', { name: 'a', histroy: 1 }, 'histroy'],
  ['an unknown mode', { name: 'a', publishAuthModes: ['NONE'] }, 'publishAuthModes'],
  ['a schema that is none', { name: 'a', schema: { type: 'what' } }, 'schema'],
  ['an incomplete target', { name: 'a', forwardTo: { topic: 't' } }, 'forwardTo'],
  [
    'a topic of the platform',
    { name: 'a', forwardTo: { topic: 'realtime', name: 'chat.sent' } },
    'forwardTo',
  ],
  [
    'a topic that is no name',
    { name: 'a', forwardTo: { topic: 'a b', name: 'chat.sent' } },
    'forwardTo',
  ],
  [
    'a name of the platform',
    { name: 'a', forwardTo: { topic: 'chat', name: 'callback.completed' } },
    'forwardTo',
  ],
])('refuses a namespace with %s, and names the member', async (_, namespace, member) => {
  expect(await refusal({ namespaces: [namespace] })).toContain(
    `POSTHASTE_REALTIME_CONFIG: namespaces[0].${member} `,
  );
});

it('has limits and modes of the whole gateway', async () => {
  const server = {
    limits: { eventsPerSecond: 50_000, maxPublishBytes: 2_000_000 },
    defaultPublishAuthModes: ['API_KEY'],
  };
  const path = await write(JSON.stringify({ ...server, connectionAuthModes: null }));
  expect(readRealtimeFile(path).server).toEqual(server);
});

it.each([
  ['limits that are a list', { limits: [] }, 'limits is not an object'],
  ['an unknown limit', { limits: { events: 1 } }, "limits has 'events', which is not one of"],
  ['a limit of 0', { limits: { eventsPerSecond: 0 } }, "limits has 'eventsPerSecond', which is"],
  [
    'more events of a publish than the log takes',
    { limits: { eventsPerPublish: 1_001 } },
    "limits has 'eventsPerPublish', which is above 1000",
  ],
  [
    'an unknown mode',
    { connectionAuthModes: ['NONE'] },
    'connectionAuthModes is not a list of modes',
  ],
])('refuses %s', async (_, content, fault) => {
  expect(await refusal(content)).toContain(`POSTHASTE_REALTIME_CONFIG: ${fault}`);
});

it('refuses an issuer of two applications, and one IAM key or namespace twice', async () => {
  expect(await refusal({ authorizers: [oidc, { ...oidc, application: 'pay' }] })).toMatch(
    /authorizers\[1\]\.issuer 'https:\/\/id.example' is that of application 'shop' already/,
  );
  expect(await refusal({ authorizers: [iam, { ...iam, application: 'pay' }] })).toMatch(
    /authorizers\[1\]\.keys has 'AKIA1', which is there twice/,
  );
  const chat = { name: 'chat' };
  expect(
    await refusal({ namespaces: [chat, { name: 'chat', application: 'shop' }, chat] }),
  ).toMatch(/namespaces\[2\]\.name 'chat' is there twice/);
});

it('refuses a topic that the rules give to another application', async () => {
  const forwardTo = { topic: 'orders', name: 'order.placed' };
  const path = await write(
    JSON.stringify({ namespaces: [{ name: 'a', application: 'game', forwardTo }] }),
  );
  expect(() => readRealtimeFile(path, ['orders=shop'])).toThrow(
    /namespaces\[0\]\.forwardTo has the topic 'orders', which is one of 'shop'/,
  );
  expect(readRealtimeFile(path, ['orders=game']).namespaces).toHaveLength(1);
});

it('reports every fault, and shows no secret of a file that is not JSON', async () => {
  const faults = await refusal({ namespaces: {}, authorizers: [7, { ...oidc, type: '' }], a: 1 });
  expect(faults.split('\n')).toHaveLength(4);
  expect(await refusal('[]')).toContain('not a JSON object');
  const broken = await refusal('{"secretAccessKey":"hunter2"');
  expect(broken).toMatch(/realtime\.json is not JSON/);
  expect(await refusal('hunter2')).not.toContain('hunter2');
  expect(() => readRealtimeFile('/nowhere/realtime.json')).toThrow(
    /POSTHASTE_REALTIME_CONFIG: the file \/nowhere\/realtime\.json cannot be read/,
  );
});

function never(): never {
  throw new Error('must not be called');
}

import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CommandResult,
  type Environment,
  newDatabase,
  posthaste,
  startPlatform,
} from '../../test/posthaste.js';
import { createProgram } from '../program.js';

/*
 * Every command that sends a key × every kind of key. The commands come from the program: one that is
 * added without a case fails the first test.
 */

const own = 'tenant-own';
const foreign = 'tenant-foreign';
const url = 'https://example.com/';
const unknownId = '01890000-0000-7000-8000-000000000000';

/** Creates things of the own application with a key for all, and knows what only it may see. */
class Things {
  readonly marks: string[] = [own];
  readonly #call: (method: string, path: string, body?: object) => Promise<{ id: string }>;
  #count = 0;

  constructor(base: string, token: string) {
    this.#call = async (method, path, body) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(`${base}${path}`, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
      return JSON.parse(text || '{}');
    };
  }

  name(): string {
    this.#count += 1;
    return this.#mark(`secret-thing-${String(this.#count).padStart(4, '0')}`);
  }

  async callback(more: object = {}): Promise<string> {
    const deliverAfter = new Date(Date.now() + 86_400_000).toISOString();
    const body = { url, application: own, deliverAfter, ...more };
    return this.#mark((await this.#call('POST', '/v1/callbacks', body)).id);
  }

  async cancelled(): Promise<string> {
    const id = await this.callback();
    await this.#call('POST', `/v1/callbacks/${id}/cancel`);
    return id;
  }

  async queue(): Promise<string> {
    const queue = this.name();
    await this.callback({ queue });
    return queue;
  }

  async endpoint(): Promise<string> {
    const body = { application: own, name: this.name(), url };
    const created: unknown = await this.#call('POST', '/v1/endpoints', body);
    return this.#mark((created as { endpoint: { id: string } }).endpoint.id);
  }

  async subscription(): Promise<string> {
    const endpointId = await this.endpoint();
    const body = { endpointId, eventName: 'a.b' };
    return this.#mark((await this.#call('POST', '/v1/subscriptions', body)).id);
  }

  async topic(): Promise<string> {
    const topic = this.name();
    await this.#call('POST', '/v1/events', { topic, name: this.name(), application: own });
    return topic;
  }

  async namespace(): Promise<string> {
    const name = this.name();
    await this.#call('POST', '/v1/namespaces', { application: own, name });
    return name;
  }

  async key(): Promise<string> {
    const body = { name: this.name(), scopes: ['admin'], applications: [own] };
    return this.#mark((await this.#call('POST', '/v1/keys', body)).id);
  }

  #mark(mark: string): string {
    this.marks.push(mark);
    return mark;
  }
}

interface CommandCase {
  /** Creates what the command needs, and returns its arguments. */
  readonly args: (things: Things) => Promise<string[]>;
  /**
   * Result with a key of another application: `refused` as for what does not exist or is forbidden;
   * `nothing`: success that shows and changes nothing of the own application.
   */
  readonly foreign: 'refused' | 'nothing';
  /** False if the owner cannot succeed here either: the command is refused by the thing's state. */
  readonly succeeds?: false;
}

const refused = (args: CommandCase['args'], more: Partial<CommandCase> = {}): CommandCase => ({
  args,
  foreign: 'refused',
  ...more,
});
const lists = (prepare: (things: Things) => Promise<unknown>): CommandCase => ({
  args: async (things) => {
    await prepare(things);
    return [];
  },
  foreign: 'nothing',
});

const cases: Readonly<Record<string, CommandCase>> = {
  audit: lists((things) => things.endpoint()),
  'keys create': refused(async (things) => [
    ...['--name', things.name(), '--scopes', 'queues:read', '--application', own],
  ]),
  'keys list': lists((things) => things.key()),
  'keys revoke': refused(async (things) => [await things.key()]),
  'callbacks send': refused(async () => [url, '--application', own]),
  'callbacks list': lists((things) => things.callback()),
  'callbacks show': refused(async (things) => [await things.callback()]),
  'callbacks retry': refused(async (things) => [await things.callback()]),
  'callbacks replay': refused(async (things) => [await things.cancelled()]),
  'callbacks cancel': refused(async (things) => [await things.callback()]),
  'queues list': lists((things) => things.queue()),
  'queues pause': refused(async (things) => [await things.queue(), '--application', own]),
  'queues resume': refused(async (things) => [await things.queue(), '--application', own]),
  'queues unblock': refused(async (things) => [await things.queue(), '-a', own, '--skip']),
  'events publish': {
    args: async (things) => [await things.topic(), 'some.name', '--data', '{}'],
    foreign: 'nothing',
  },
  'events tail': {
    args: async (things) => [await things.topic(), '--beginning', '--no-follow'],
    foreign: 'nothing',
  },
  'events groups': lists((things) => things.topic()),
  'events lag': { args: async (things) => [await things.topic()], foreign: 'nothing' },
  'events dlq list': lists((things) => things.topic()),
  'events dlq replay': {
    args: async (things) => [await things.topic(), '--detach'],
    foreign: 'nothing',
    // The topic has no dead letters.
    succeeds: false,
  },
  'events dlq replays': lists((things) => things.topic()),
  'events dlq cancel': refused(async () => [unknownId], { succeeds: false }),
  'endpoints create': {
    args: async (things) => [things.name(), url, '--application', own],
    foreign: 'refused',
  },
  'endpoints update': refused(async (things) => [await things.endpoint(), '--timeout-ms', '5000']),
  'endpoints show': refused(async (things) => [await things.endpoint()]),
  'endpoints list': lists((things) => things.endpoint()),
  'endpoints test': refused(async (things) => [await things.endpoint()]),
  'endpoints remove': refused(async (things) => [await things.endpoint()]),
  'realtime channels': refused(async () => ['--application', own]),
  'realtime namespaces list': lists((things) => things.namespace()),
  'realtime namespaces create': refused(async (things) => [things.name(), '--application', own]),
  'realtime namespaces delete': refused(async (things) => [
    ...[await things.namespace(), '--application', own],
  ]),
  'subscriptions create': refused(async (things) => [await things.endpoint(), 'a.b']),
  'subscriptions update': refused(async (things) => [await things.subscription(), 'a.c']),
  'subscriptions show': refused(async (things) => [await things.subscription()]),
  'subscriptions list': lists((things) => things.subscription()),
  'subscriptions remove': refused(async (things) => [await things.subscription()]),
};

/** Commands that send no key: they run the platform, or open its database. */
const withoutKey = ['start', 'gateway', 'worker', 'migrate', 'demo', 'realtime emulator'];

/** Commands that follow what happens, or speak another protocol: test/ has their tests of access. */
const testedElsewhere = ['listen', 'realtime publish', 'realtime subscribe'];

function leavesOf(command: Command, path: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [path.join(' ')];
  return command.commands.flatMap((each) => leavesOf(each, [...path, each.name()]));
}

it('has a case for every command, and no case without a command', () => {
  const others = [...withoutKey, ...testedElsewhere];
  const commands = leavesOf(createProgram()).filter((name) => !others.includes(name));
  expect(Object.keys(cases).toSorted(), 'add a case to the table of this file').toEqual(
    commands.toSorted(),
  );
});

describe('posthaste', () => {
  let base: string;
  let things: Things;
  let tokens: Record<'own' | 'foreign' | 'all' | 'revoked' | 'wrong', string>;

  beforeAll(async () => {
    const database = await newDatabase();
    const create = async (env: Environment, ...args: string[]): Promise<string> => {
      const created = await posthaste(['keys', 'create', '--name', 'key', ...args], env);
      expect([created.code, created.stderr]).toEqual([0, '']);
      return created.stdout.trim();
    };
    const all = await createFirstKey(database, create);
    const platform = await startPlatform({ ...database, POSTHASTE_ACCESS: 'keys' });
    base = platform.url;
    const env = { POSTHASTE_API_KEY: all };
    const createHere = (...args: string[]): Promise<string> => {
      const call = posthaste(['keys', '--url', base, 'create', '--name', 'key', ...args], env);
      return call.then(({ stdout }) => stdout.trim());
    };
    tokens = {
      all,
      own: await createHere('--admin', '--application', own),
      foreign: await createHere('--admin', '--application', foreign),
      wrong: await createHere('--scopes', 'metrics:read', '--application', own),
      revoked: await createHere('--admin', '--application', own),
    };
    const listed = await run('keys list', [], all);
    const [revoked] = JSON.parse(listed.stdout);
    await run('keys revoke', [revoked.id], all);
    things = new Things(base, all);
  });

  function run(name: string, args: readonly string[], token?: string): Promise<CommandResult> {
    const words = name.split(' ');
    const where = words[0] === 'keys' ? ['keys', '--url', base, ...words.slice(1)] : words;
    const key = token === undefined ? {} : { POSTHASTE_API_KEY: token };
    return posthaste([...where, ...args, '--json'], { POSTHASTE_URL: base, ...key });
  }

  it.each(Object.entries(cases))('%s', async (name, { args, foreign: result, succeeds = true }) => {
    const given = await args(things);
    for (const [token, code] of [
      [undefined, 'KEY_MISSING'],
      [tokens.revoked, 'KEY_INVALID'],
      [tokens.wrong, 'SCOPE_MISSING'],
    ] as const) {
      const { code: exit, stdout, stderr } = await run(name, given, token);
      expect([exit === 0, stdout]).toEqual([false, '']);
      expect(stderr).toContain(`(${code})`);
    }
    const asForeign = await run(name, given, tokens.foreign);
    for (const mark of things.marks) {
      if (!given.includes(mark)) expect(asForeign.stdout + asForeign.stderr).not.toContain(mark);
    }
    if (result === 'refused') {
      expect(asForeign.code).not.toBe(0);
      expect(asForeign.stderr).toMatch(/_NOT_FOUND\)|\(APPLICATION_FORBIDDEN\)/);
    } else {
      expect(asForeign.stderr.replace(/^.*\((TOPIC_NOT_FOUND)\)\n$/, '')).not.toMatch(
        /\([A-Z_]+\)/,
      );
    }
    const asOwn = await run(name, given, tokens.own);
    if (succeeds) expect([asOwn.code, asOwn.stderr]).toEqual([0, asOwn.stderr]);
    const again = await run(name, await args(things), tokens.all);
    if (succeeds) expect([again.code, again.stderr]).toEqual([0, again.stderr]);
  });
});

/** Creates a key for all on a database that nothing has open yet. */
async function createFirstKey(
  database: Environment,
  create: (env: Environment, ...args: string[]) => Promise<string>,
): Promise<string> {
  if (database.DATABASE_URL !== undefined) await posthaste(['migrate'], database);
  return create(database, '--admin');
}

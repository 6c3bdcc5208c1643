import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  emptyFolder,
  newDatabase,
  posthaste,
  type StartedPlatform,
  startPlatform,
  startPosthaste,
  waitOptions,
} from '../../test/posthaste.js';

let platform: StartedPlatform;
let env: { POSTHASTE_URL: string };

beforeAll(async () => {
  platform = await startPlatform(await newDatabase());
  env = { POSTHASTE_URL: platform.url };
});

/** Runs `posthaste events …` and returns its output. */
async function events(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(['events', ...args], env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

const parse = (line: string): unknown => JSON.parse(line);

describe('posthaste events', () => {
  it('waits for the first topic when there is none', async () => {
    let lists = 0;
    const server = createServer((request, response) => {
      const isStream = request.headers.accept === 'text/event-stream';
      response.setHeader('content-type', isStream ? 'text/event-stream' : 'application/json');
      if (isStream) {
        expect(request.url).toBe('/v1/events?topic=first&from=beginning');
        const event = { topic: 'first', partition: 0, offset: 0, event: { name: 'a' } };
        response.write(`id: 0\n\nid: 1\ndata: ${JSON.stringify(event)}\n\n`);
      } else {
        const items = lists++ === 0 ? [] : [{ name: 'first' }, { name: 'first.dlq' }];
        response.end(JSON.stringify({ items, next: null }));
      }
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close().closeAllConnections());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tail = await startPosthaste(
      ['events', 'tail', '--json'],
      { POSTHASTE_URL: url },
      /waiting for the first/,
    );
    await tail.waitForLine(/"topic":"first"/);
    expect(await tail.terminate()).toEqual({ code: 0, signal: null });
  });

  it('shows the events of new topics, once each, with those of the others', async () => {
    await events('publish', 'known', 'a', '-k', 'k');
    const tail = await startPosthaste(['events', 'tail'], env);
    // Events from before are not shown, so tail is connected once this one comes.
    await expect
      .poll(async () => {
        await events('publish', 'known', 'b', '-k', 'k');
        return tail.output;
      }, waitOptions)
      .toMatch(/known\/\d@\d+ {2}b /);
    await events('publish', 'unknown', 'c', '-k', 'k');
    await events('publish', 'unknown', 'd', '-k', 'k');
    await tail.waitForLine(/unknown\/\d@1 {2}d /);
    await events('publish', 'known', 'e', '-k', 'k');
    await tail.waitForLine(/known\/\d@\d+ {2}e /);
    const places = tail.output.match(/\S+\/\d@\d+/g) ?? [];
    expect(new Set(places).size).toBe(places.length);
    expect(tail.output).not.toContain('trying again');
    expect(await tail.terminate()).toEqual({ code: 0, signal: null });
  });

  it('publishes an event with all its fields, and every digit of its numbers', async () => {
    const args = ['-k', 'order-7', '-n', 'shop', '--id', 'e1', '--user', 'ada'];
    const payload = '{"total":9007199254740993}';
    expect(await events('publish', 'fields', 'order.placed', ...args, '-d', payload)).toBe('e1\n');
    const json = await events('tail', 'fields', '--no-follow', '--json');
    expect(json).toContain(`"payload":${payload}`);
    expect(JSON.parse(json)).toMatchObject({
      topic: 'fields',
      key: 'order-7',
      event: { id: 'e1', name: 'order.placed', namespace: 'shop', userId: 'ada' },
    });
    const cloud = await events('tail', 'fields', '--no-follow', '--json', '--cloudevents');
    expect(JSON.parse(cloud).event).toMatchObject({
      specversion: '1.0',
      source: '/namespaces/shop',
    });
  });

  it('shows the events whose names match a pattern, stored ones and new ones', async () => {
    await events('publish', 'patterns', 'order.placed', '-k', 'k');
    await events('publish', 'patterns', 'mail.sent', '-k', 'k');
    const stored = await events(
      'tail',
      'patterns',
      '--no-follow',
      '--name',
      'order.*',
      '-o',
      'json',
    );
    expect(JSON.parse(stored)).toMatchObject({ event: { name: 'order.placed' } });
    const tail = await startPosthaste(
      ['events', 'tail', 'patterns', '--beginning', '--name', 'order.*'],
      env,
    );
    await tail.waitForLine(/order\.placed/);
    await events('publish', 'patterns', 'mail.sent', '-k', 'k');
    await events('publish', 'patterns', 'order.shipped', '-k', 'k');
    await tail.waitForLine(/order\.shipped/);
    expect(tail.output).not.toContain('mail.sent');
    expect(await tail.terminate()).toEqual({ code: 0, signal: null });
  });

  it('publishes a payload from a file or standard input, or none', async () => {
    const file = join(await emptyFolder(), 'payload.json');
    await writeFile(file, '{"from":"file"}');
    await events('publish', 'data', 'a', '-k', 'k', '-d', `@${file}`);
    await posthaste(
      ['events', 'publish', 'data', 'b', '-k', 'k', '-d', '@-'],
      env,
      '{"from":"in"}',
    );
    await events('publish', 'data', 'c', '-k', 'k');
    const lines = (await events('tail', 'data', '--no-follow')).trimEnd().split('\n');
    expect(lines.map((line) => line.split('  ').slice(2))).toEqual([
      ['a', 'k', '{"from":"file"}'],
      ['b', 'k', '{"from":"in"}'],
      ['c', 'k', '{}'],
    ]);
  });

  it('publishes once under one idempotency key or id', async () => {
    const args = ['publish', 'once', 'a', '--idempotency-key', 'k'];
    const ids = [await events(...args), await events(...args)];
    expect(new Set(ids).size).toBe(1);
    await events('publish', 'once', 'b', '--id', 'same');
    await events('publish', 'once', 'b', '--id', 'same');
    expect((await events('tail', 'once', '--no-follow')).trimEnd().split('\n')).toHaveLength(2);
  });

  it('publishes the lines of a file, reports refused ones, and keeps a rate', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ name: `e${i}`, key: 'k' }));
    const file = join(await emptyFolder(), 'lines');
    await writeFile(
      file,
      [...lines.slice(0, 20), '', '{', '{"name":"!"}', ...lines.slice(20)].join('\n'),
    );
    const startedAt = performance.now();
    const args = ['events', 'publish', 'lines', '--lines', file, '--rate', '40'];
    const { code, stdout, stderr } = await posthaste(args, env);
    expect([code, stdout]).toEqual([1, 'published 40 of 42\n']);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(stderr).toContain('line 22: is not JSON\n');
    expect(stderr).toMatch(/line 23: name .* \(REQUEST_INVALID\)\n/);
    const published = await events('tail', 'lines', '--no-follow');
    expect(published.match(/ {2}e\d+ {2}/g)?.map((name) => name.trim())).toEqual(
      lines.map((_, i) => `e${i}`),
    );
  });

  it('publishes the JSON output of tail, with its keys', async () => {
    await events('publish', 'source', 'a', '-k', 'k1', '-d', '{"n":1}');
    const shown = await events('tail', 'source', '--no-follow', '--json');
    const args = ['events', 'publish', 'copy', '--lines', '-'];
    expect(await posthaste(args, env, shown)).toMatchObject({
      code: 0,
      stdout: 'published 1 of 1\n',
    });
    const [line] = (await events('tail', 'copy', '--no-follow')).split('\n');
    expect(line?.split('  ').slice(2)).toEqual(['a', 'k1', '{"n":1}']);
  });

  it('publishes the CloudEvents of tail as they are, with their keys', async () => {
    const base = {
      specversion: '1.0',
      source: 'urn:x',
      type: '/a b',
      time: '2026-01-02T03:04:05Z',
    };
    const keyed = { ...base, id: '1', data: [1], partitionkey: 'k1' };
    const plain = { ...base, id: '2', datacontenttype: 'text/plain', data: 'x' };
    const publish = (topic: string, lines: string) =>
      posthaste(['events', 'publish', topic, '--lines', '-'], env, lines);
    const tail = ['--no-follow', '--json', '--cloudevents'];
    await publish('clouds', [keyed, plain].map((event) => JSON.stringify(event)).join('\n'));
    await events('publish', 'clouds', 'c', '-k', 'k2');
    await publish('copies', await events('tail', 'clouds', ...tail));
    const shown = (await events('tail', 'copies', ...tail)).trimEnd().split('\n').map(parse);
    expect(shown).toHaveLength(3);
    expect(shown).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: 'k1', event: keyed }),
        expect.objectContaining({ key: '2', event: plain }),
        expect.objectContaining({ key: 'k2', event: expect.objectContaining({ type: 'c' }) }),
      ]),
    );
  });

  it('shows events as they come, also after a restart of the gateway', async () => {
    await events('publish', 'live', 'before', '-k', 'k');
    const tail = await startPosthaste(['events', 'tail', 'live', '--beginning'], env, /before/);
    await events('publish', 'live', 'first', '-k', 'k', '-d', '{"text":"\\u001b[31m"}');
    await tail.waitForLine(/first {2}k {2}\{"text":"\\u001b\[31m"\}$/);
    await platform.process.kill();
    await tail.waitForLine(/^the connection was lost; trying again$/);
    platform = await platform.again();
    await events('publish', 'live', 'second', '-k', 'k');
    await tail.waitForLine(/^\d{4}-\S+Z {2}live\/\d@\d+ {2}second {2}k {2}\{\}$/);
    expect(tail.output.match(/ {2}before {2}/g)).toHaveLength(1);
    expect(await tail.terminate()).toEqual({ code: 0, signal: null });
  });

  it('filters by topic, name, key and time', async () => {
    for (const [topic, name, key] of [
      ['one', 'made', 'a'],
      ['one', 'paid', 'b'],
      ['two', 'made', 'b'],
    ] as const) {
      await events('publish', topic, name, '-k', key);
    }
    const count = async (...args: string[]) =>
      (await events('tail', ...args, '--no-follow')).split('\n').length - 1;
    expect(await count('one')).toBe(2);
    expect(await count('one', 'two')).toBe(3);
    expect(await count('one', 'two', '--name', 'made')).toBe(2);
    expect(await count('one', 'two', '-k', 'b')).toBe(2);
    expect(await count('one', '--since', '10m')).toBe(2);
    expect(await count('one', '--since', '2100-01-01')).toBe(0);
    expect(await count()).toBeGreaterThan(2);
  });

  it('lists consumer groups with their lag, as a table or as JSON', async () => {
    await events('publish', 'grouped', 'made');
    const groups = async (...args: string[]) => events('groups', ...args);
    // The subscriptions of the platform itself read every topic.
    await expect
      .poll(() => groups('grouped'), waitOptions)
      .toMatch(/^TOPIC +GROUP +PARTITIONS +LAG\ngrouped +posthaste\.subscriptions +4 +0\n$/);
    const [group] = JSON.parse(await groups('grouped', '--json'));
    expect(group).toMatchObject({ topic: 'grouped', lag: 0 });
    expect(await groups('grouped', '-g', 'none')).toBe('TOPIC  GROUP  PARTITIONS  LAG\n');
    const lag = (await events('lag', 'grouped')).trimEnd().split('\n');
    expect(lag[0]).toMatch(/^GROUP +PARTITION +NEXT +END +LAG$/);
    expect(lag).toHaveLength(5);
    expect(JSON.parse(await events('lag', 'grouped', '--json'))[0].partitions).toHaveLength(4);
    const none = await posthaste(['events', 'lag', 'grouped', 'none'], env);
    expect([none.code, none.stderr]).toEqual([1, 'no consumer group none reads grouped\n']);
  });

  it.each([
    ['an unknown topic', ['tail', 'none'], 'TOPIC_NOT_FOUND'],
    ['the lag of an unknown topic', ['lag', 'nosuch'], 'TOPIC_NOT_FOUND'],
    ['a pattern that is none', ['tail', 'known', '--name', 'or*'], 'REQUEST_INVALID'],
    ['an invalid name', ['publish', 'orders', 'a b'], 'REQUEST_INVALID'],
    ['a payload that is not JSON', ['publish', 'orders', 'a', '-d', '{'], 'REQUEST_INVALID'],
    ['a payload that is a list', ['publish', 'orders', 'a', '-d', '[]'], 'REQUEST_INVALID'],
    ['dead letters of an unknown topic', ['dlq', 'list', 'nosuch'], 'TOPIC_NOT_FOUND'],
    ['a replay of an unknown topic', ['dlq', 'replay', 'none'], 'TOPIC_NOT_FOUND'],
    ['groups of an unknown topic', ['groups', 'nosuch'], 'TOPIC_NOT_FOUND'],
    ['an unknown replay', ['dlq', 'cancel', 'none'], 'REPLAY_NOT_FOUND'],
  ])('reports %s in one line, with its code', async (_case, args, code) => {
    const result = await posthaste(['events', ...args], env);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(new RegExp(`^.+ \\(${code}\\)\n$`));
  });

  it('reports a gateway that does not answer', async () => {
    const result = await posthaste(['events', 'tail', 'a'], {
      POSTHASTE_URL: 'http://127.0.0.1:1',
    });
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Is Posthaste running?'),
    });
  });

  it.each([
    [['events', 'publish', 'orders'], 'give the name of the event, or --lines'],
    [['events', 'tail', 'orders', '--since', 'yesterday'], 'It must be a time such as'],
    [['events', 'dlq', 'replay', 'orders', '--rate', '0'], 'It must be a whole number from 1'],
    [['events', 'tial'], 'Did you mean tail?'],
  ])('exits with 64 on %j, and says what is wrong with it', async (args, message) => {
    const { code, stderr } = await posthaste(args, env);
    expect(code).toBe(64);
    expect(stderr).toContain(message);
  });
});

import { eventFormats } from '@posthaste/callbacks';
import { type Receiver, startReceiver } from '@posthaste/testbed';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, posthaste, startPlatform, waitOptions } from '../../test/posthaste.js';

let receiver: Receiver;
let env: { POSTHASTE_URL: string };

beforeAll(async () => {
  receiver = await startReceiver();
  const { url } = await startPlatform({ POSTHASTE_DATA_DIR: await emptyFolder() });
  env = { POSTHASTE_URL: url };
});
afterAll(() => receiver.close());

/** Runs a command and returns its output. */
async function output(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await posthaste(args, env);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

async function createEndpoint(name: string, ...args: string[]): Promise<string> {
  const command = ['endpoints', 'create', name, `${receiver.url}/${name}`, ...args, '--json'];
  const { endpoint } = JSON.parse(await output(...command)) as { endpoint: { id: string } };
  return endpoint.id;
}

describe('posthaste endpoints and subscriptions', () => {
  it('create, show, change, list and remove an endpoint', async () => {
    const created = await output('endpoints', 'create', 'a', receiver.url, '-a', 'shop');
    const [, id = ''] = /^id +(\S+)\nsecret +whsec_/.exec(created) ?? [];
    const shown = await output('endpoints', 'show', id);
    expect(shown).toMatch(/^event format +envelope$/m);
    const changes = ['--event-format', 'cloudevents-binary', '-H', 'X-Shop: berlin: mitte'];
    const changed = await output('endpoints', 'update', id, ...changes, '--rate', '0.5');
    expect(changed).toMatch(/^event format +cloudevents-binary$/m);
    expect(changed).toMatch(/^header +x-shop: berlin: mitte$/m);
    expect(JSON.parse(await output('endpoints', 'show', id, '-o', 'json'))).toMatchObject({
      application: 'shop',
      eventFormat: 'cloudevents-binary',
      ratePerSecond: 0.5,
    });
    const [, row] = (await output('endpoints', 'list', '-a', 'shop')).split('\n');
    expect(row?.split(/ {2,}/)).toEqual([
      ...[id, 'active', 'shop', 'a', 'cloudevents-binary', 'none', receiver.url],
    ]);
    expect(await output('endpoints', 'remove', id)).toBe(`${id} is removed\n`);
    const gone = await posthaste(['endpoints', 'show', id], env);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('ENDPOINT_NOT_FOUND')]);
  });

  it('subscribe an endpoint to events, in the form that it asks for', async () => {
    const id = await createEndpoint('hook', '--event-format', 'cloudevents-binary');
    const filter = '{"required":["total"],"properties":{"total":{"minimum":9007199254740993}}}';
    const subscription = (
      await output('subscriptions', 'create', id, 'order.*', '--filter', filter)
    ).trim();
    expect(await output('subscriptions', 'show', subscription)).toContain(filter);
    const publish = (total: string) =>
      output('events', 'publish', 'orders', 'order.placed', '-d', `{"total":${total}}`);
    await publish('9007199254740992');
    await publish('9007199254740993');
    const [request] = await receiver.waitFor(1);
    expect(request?.headers['ce-type']).toBe('order.placed');
    expect(request?.body.toString()).toBe('{"total":9007199254740993}');

    const updated = await output('subscriptions', 'update', subscription, '/a b/x.**');
    expect(updated).toMatch(/^events +\/a b\/x\.\*\*$/m);
    const [, row] = (await output('subscriptions', 'list', '-e', id)).split('\n');
    expect(row?.split(/ {2,}/)).toEqual([subscription, id, '/a b/x.**', '-', '-']);
    expect(await output('subscriptions', 'remove', subscription)).toContain('is removed');

    receiver.clear();
    const callback = (await output('endpoints', 'test', id)).trim();
    const [test] = await receiver.waitFor(1);
    expect(test?.headers).toMatchObject({ 'webhook-id': callback, 'ce-type': 'posthaste.test' });
  });

  it('pass on a CloudEvent as it was posted, byte for byte', async () => {
    const id = await createEndpoint('passed', '--event-format', 'cloudevents-binary');
    await output('subscriptions', 'create', id, '**');
    const attributes = {
      'ce-specversion': '1.0',
      'ce-id': 'a%20b',
      'ce-source': 'urn:%E4%BA%8B',
      'ce-type': '/a%20b/%E4%BA%8B%E4%BB%B6',
      'ce-time': '2026-01-02T03:04:05.120+02:00',
      'ce-version': 'v2',
      'content-type': 'image/png',
    };
    const body = Buffer.from([0, 255, 10, 254]);
    const url = `${env.POSTHASTE_URL}/v1/events?topic=passed`;
    const answer = await fetch(url, { method: 'POST', headers: attributes, body });
    expect(answer.status).toBe(201);
    const isPassed = ({ path }: { readonly path: string }): boolean => path === '/passed';
    await expect.poll(() => receiver.requests.some(isPassed), waitOptions).toBe(true);
    const request = receiver.requests.find(isPassed);
    const got = Object.entries(request?.headers ?? {}).filter(
      ([name]) => name.startsWith('ce-') || name === 'content-type',
    );
    expect(Object.fromEntries(got)).toEqual(attributes);
    expect(request?.body).toEqual(body);
    await output('endpoints', 'remove', id);
  });

  it('refuse a format that is not one, and a filter that is no JSON', async () => {
    const avro = ['endpoints', 'create', 'b', receiver.url, '--event-format', 'avro'];
    expect((await posthaste(avro, env)).stderr).toContain(eventFormats.join(', '));
    for (const args of [
      avro,
      ['endpoints', 'create', 'b', receiver.url, '--rate', '0'],
      ['subscriptions', 'create', 'x', '**', '--filter', '{'],
    ]) {
      expect((await posthaste(args, env)).code).toBe(64);
    }
  });
});

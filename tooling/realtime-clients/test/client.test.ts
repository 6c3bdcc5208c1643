import { connect, createConfig } from '@posthaste/appsync-client';
import { RealtimeError } from '@posthaste/appsync-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { open, take } from './open-client.js';
import { startPlainServer } from './plain-server.js';

describe('our client and our server', () => {
  it('keep a refused subscription apart from publishes and other subscriptions', async () => {
    const server = await startPlainServer();
    const client = await open(server);
    const sibling = client.subscribe('/default/a');
    const refused = client.subscribe('/private/b');
    const published = client.publish('/default/a', ['1']);
    await expect(refused.ready).rejects.toMatchObject({
      reason: 'server_error',
      errors: [{ errorType: 'Forbidden' }],
    });
    expect(await published).toMatchObject({ successIndexes: [0] });
    for (let i = 2; i <= 20; i += 1) await client.publish('/default/a', [`${i}`]);
    const events = (await take(sibling, 20)).map(({ event }) => event);
    expect(events).toEqual(Array.from({ length: 20 }, (_, i) => `${i + 1}`));
    expect(server.upgrades()).toBe(1);
    expect(client.state).toBe('open');
  });

  it('lose nothing that is published after `ready`', async () => {
    const server = await startPlainServer({
      limits: { subscriptionsPerConnection: 500, publishesPerSecond: Number.POSITIVE_INFINITY },
    });
    const [client, publisher] = await Promise.all([open(server), open(server)]);
    const race = async (channel: string): Promise<string | undefined> => {
      const subscription = client.subscribe(channel);
      await subscription.ready;
      await publisher.publish(channel, [JSON.stringify(channel)]);
      const [item] = await take(subscription, 1);
      return item?.event;
    };
    const channels = Array.from({ length: 300 }, (_, i) => `/default/race-${i}`);
    const events = await Promise.all(channels.map(race));
    expect(events).toEqual(channels.map((channel) => JSON.stringify(channel)));
  });

  it('have an event in `failed` that a handler has made too large, and four that arrive', async () => {
    const inflate = {
      name: 'default',
      maxEventBytes: 1_000,
      handlers: {
        onPublish: ({ events }: { events: readonly { id: string; payload: unknown }[] }) =>
          events.map(({ id, payload }) => ({
            id,
            payload: payload === 3 ? 'x'.repeat(2_000) : payload,
          })),
      },
    };
    const client = await open(await startPlainServer({ namespaces: [inflate] }));
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    for (const over of ['websocket', 'http'] as const) {
      const result = await client.publishJson('/default/a', [1, 2, 3, 4, 5], { over });
      expect(result.successIndexes).toEqual([0, 1, 3, 4]);
      expect(result.failed).toMatchObject([{ index: 2, code: 'EventTooLargeException' }]);
    }
    const events = (await take(subscription, 8)).map(({ event }) => event);
    expect(events).toEqual(['1', '2', '4', '5', '1', '2', '4', '5']);
  });

  it('find each other again after the server was killed, and the gap is reported', async () => {
    const server = await startPlainServer();
    const client = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    await server.close();
    await expect.poll(() => client.state).toBe('reconnecting');
    const next = await startPlainServer({ port: server.port });
    await expect.poll(() => next.realtime.counts().subscriptions).toBe(1);
    await client.publish('/default/a', ['1']);
    expect((await take(subscription, 2)).map(({ type }) => type)).toEqual(['gap', 'data']);
  });

  it('renew a credential that expires during the connection', async () => {
    const keys = ['key-1'];
    const server = await startPlainServer({
      authorizers: [
        {
          mode: 'API_KEY',
          accepts: () => true,
          authorize({ headers }) {
            const key = headers['x-api-key'] ?? '';
            if (!keys.includes(key)) throw new RealtimeError('UnauthorizedException', 401, 'No.');
            return { mode: 'API_KEY', id: key, realm: '' };
          },
          isValid: ({ id }) => keys.includes(id),
        },
      ],
    });
    const config = createConfig([`http://${server.host}/event`, undefined], ({ isRefused }) => ({
      'x-api-key': isRefused ? (keys[0] ?? '') : 'key-1',
    }));
    const client = await connect(config, { reconnect: { initialMs: 5, maxMs: 50 } });
    onTestFinished(() => client.close());
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    keys[0] = 'key-2';
    // The server ends the connection, and refuses what the function gives at first.
    expect(await take(subscription, 1)).toEqual([{ type: 'gap', event: '' }]);
    expect(await client.publish('/default/a', ['1'])).toMatchObject({ successIndexes: [0] });
  });
});

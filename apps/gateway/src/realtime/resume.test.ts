import {
  createApiKeyConfig,
  createWebSocketClient,
  dialWebSocket,
  type SubscriptionMessage,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../test/test-platform.js';
import { openTestRealtime, realtimeFile, type TestRealtime } from '../../test/test-realtime.js';

const wait = { timeout: 60_000 };

/** Subscriber that is cut off again and again, and comes back to the other gateway each time. */
interface Hopper {
  readonly client: WebSocketClient;
  /** Events that it got, or the types of other items. */
  readonly got: string[];
  cut(): void;
}

describeWithPostgres('subscribers that resume on two gateways', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let gateways: [TestRealtime, TestRealtime];
  let key: string;
  const clients: WebSocketClient[] = [];

  beforeAll(async () => {
    database = await createPlatformDatabase();
    const file = await realtimeFile({ namespaces: [{ name: 'kept', history: 10_000 }] });
    const open = () => openTestRealtime(database, {}, file);
    gateways = [await open(), await open()];
    key = await gateways[0].createKey();
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await Promise.all(gateways?.map((gateway) => gateway.close()) ?? []);
    await database?.drop();
  });

  async function openHopper(channel: string): Promise<Hopper> {
    let dials = 0;
    let connection: Awaited<ReturnType<typeof dialWebSocket>> | undefined;
    const dial = async () => {
      const { url } = gateways[dials % 2 === 0 ? 0 : 1].gateway;
      dials += 1;
      connection = await dialWebSocket(createApiKeyConfig(`${url}/event`, undefined, key));
      return connection;
    };
    const authorization = { 'x-api-key': key };
    const client = createWebSocketClient(await dial(), authorization, {
      extensions: ['resume'],
      redial: dial,
      reconnect: { initialMs: 5, maxMs: 20 },
    });
    clients.push(client);
    const got: string[] = [];
    const onMessage = ({ type, event }: SubscriptionMessage) => {
      got.push(type === 'data' ? event : type);
    };
    await client.subscribe(channel, { onMessage }).ready;
    return { client, got, cut: () => connection?.close(1000) };
  }

  it('get every event once and in order, on whichever they come back', async () => {
    const channels = ['/kept/a', '/kept/a/b', '/kept/c'];
    const hoppers = await Promise.all(['/kept/a', '/kept/*', '/kept/a/*'].map(openHopper));
    const publishers = await Promise.all(
      gateways.map((gateway) => gateway.connect(key, { publishesPerSecond: 10_000 })),
    );
    const wanted: [string, string][] = [];
    for (let n = 0; n < 600; n += 1) {
      const channel = channels[n % 3] ?? '';
      const events = [`${n}`, `${n}.5`];
      // One after another: only so is it known in which order they are stored.
      for (;;) {
        const published = await publishers[n % 2]?.publish(channel, events).catch(() => undefined);
        if (published) break;
        // 25 publishes of a connection in a second are the limit of the server.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      for (const event of events) wanted.push([channel, event]);
      if (n % 40 === 20) hoppers[(n / 20) % 3]?.cut();
      if (n % 150 === 75) for (const hopper of hoppers) hopper.cut();
    }
    const of = (fits: (channel: string) => boolean) =>
      wanted.filter(([channel]) => fits(channel)).map(([, event]) => event);
    const expected = [
      of((channel) => channel === '/kept/a'),
      of(() => true),
      of((channel) => channel.startsWith('/kept/a/')),
    ];
    await expect
      .poll(() => hoppers.map(({ got }) => got.length), wait)
      .toEqual(expected.map(({ length }) => length));
    expect(hoppers.map(({ got }) => got)).toEqual(expected);
  }, 120_000);

  it('are told of the gap where events are not stored', async () => {
    const hopper = await openHopper('/posthaste/events/none');
    hopper.cut();
    await expect.poll(() => hopper.got, wait).toEqual(['gap']);
  });
});

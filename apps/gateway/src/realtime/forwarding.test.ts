import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import {
  realtimeFile,
  type TestRealtime,
  takeEvents,
  useGateways,
} from '../../test/test-realtime.js';

const namespaces = [
  { name: 'chat', maxEventBytes: 1_048_576, forwardTo: { topic: 'chat', name: 'chat.sent' } },
  { name: 'typing', durable: false, forwardTo: { topic: 'typing', name: 'chat.typing' } },
  { name: 'orders', forwardTo: { topic: 'orders', name: 'order.placed' } },
];

describeWithPostgres('a namespace that forwards', () => {
  const gateways = useGateways();

  async function open(maxTopics: number): Promise<TestRealtime> {
    const topicApplications = ['orders=depot'];
    const config = { ...(await realtimeFile({ namespaces })), topicApplications, maxTopics };
    return gateways.open({}, config);
  }

  async function topics({ db }: TestRealtime): Promise<string[]> {
    const { rows } = await db.query<{ name: string }>('select name from eventstream.topic');
    return rows.map(({ name }) => name);
  }

  it('creates no topic beyond the limit of topics, and delivers what is not durable', async () => {
    const [gateway, other] = [await open(0), await open(0)];
    const client = await gateway.connect(await gateway.createKey());
    await expect(client.publishJson('/chat/a', [1])).rejects.toMatchObject({
      errors: [{ errorType: 'Forbidden', message: expect.stringContaining('limit of 0 topics') }],
    });
    const elsewhere = await other.connect(await other.createKey());
    const subscription = elsewhere.subscribe('/typing/a');
    await subscription.ready;
    expect(await client.publishJson('/typing/a', [1])).toMatchObject({ failed: [] });
    expect(await takeEvents(subscription, 1)).toEqual(['1']);
    expect(await topics(gateway)).not.toContain('typing');
  });

  it('refuses an event that is too large for the log, and nothing beside it', async () => {
    const gateway = await open(1_000);
    const key = await gateway.createKey();
    const statuses = await Promise.all([
      gateway.post(key, '/chat/a', JSON.stringify('x'.repeat(1_048_500))),
      gateway.post(key, '/chat/b', '"y"'),
    ]);
    expect(statuses).toEqual([400, 200]);
    expect(await topics(gateway)).toContain('chat');
  });

  it('publishes to no topic of another application', async () => {
    const gateway = await open(1_000);
    const [shop, depot] = await Promise.all(
      ['shop', 'depot'].map(async (application) =>
        gateway.connect(await gateway.createKey({ applications: [application] })),
      ),
    );
    await expect(shop?.publishJson('/orders/a', [1])).rejects.toMatchObject({
      errors: [{ errorType: 'Forbidden', message: expect.stringContaining("'orders'") }],
    });
    expect(await depot?.publishJson('/orders/a', [1])).toMatchObject({ failed: [] });
  });
});

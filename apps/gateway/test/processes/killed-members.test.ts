import type { SubscriptionMessage } from '@posthaste/appsync-client';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type GatewayProcess,
  type GatewayProcesses,
  openGatewayProcesses,
} from './gateway-processes.js';

const wait = { timeout: 90_000, interval: 50 };
const channel = '/kept/room';

describeWithPostgres('members of a gateway that is killed', () => {
  let database: TestDatabase;
  let gateways: GatewayProcesses;
  let killed: GatewayProcess;
  let surviving: GatewayProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    gateways = await openGatewayProcesses(database);
    [killed, surviving] = await Promise.all([gateways.start(), gateways.start()]);
  });
  afterAll(async () => {
    await gateways?.close();
    await database?.drop();
  });

  /** Enters the channel. Returns what it is told: `members `, `join ann`, `leave ann`. */
  async function enter(gateway: GatewayProcess, member?: string): Promise<string[]> {
    const client = await gateway.connect(gateways.key, { extensions: ['presence'] });
    const story: string[] = [];
    const onMessage = ({ presence }: SubscriptionMessage): void => {
      const names = presence?.members.map((each) => each.member).toSorted();
      if (presence) story.push(`${presence.change} ${names?.join()}`);
    };
    await client.subscribe(channel, { onMessage, presence: member ? { member } : {} }).ready;
    await expect.poll(() => story.length, wait).toBeGreaterThan(0);
    return story;
  }

  it('leave when its lease has ended, but not those that came back elsewhere', {
    timeout: 180_000,
  }, async () => {
    const watcher = await enter(surviving);
    await enter(killed, 'ann');
    await enter(killed, 'bob');
    await expect.poll(() => watcher, wait).toEqual(['members ', 'join ann', 'join bob']);
    await killed.kill();
    expect(await enter(surviving, 'ann')).toEqual(['members ann,bob']);
    await expect.poll(() => watcher.at(-1), wait).toBe('leave bob');
    expect(watcher).toEqual(['members ', 'join ann', 'join bob', 'leave bob']);
  });
});

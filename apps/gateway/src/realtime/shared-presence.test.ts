import type { PresenceChannelName, PresentMember } from '@posthaste/appsync-server';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { migrate } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestBrokers, type TestBrokers } from '../../test/test-brokers.js';
import { SharedPresence, type SharedPresenceOptions } from './shared-presence.js';

const wait = { timeout: 30_000 };
const room: PresenceChannelName = { realm: 'shop', path: '/default/room' };
const ann: PresentMember = { member: 'ann', data: { mood: 'good' } };

/** Presence of one gateway, with the channels that it was told of. */
interface TestPresence {
  readonly presence: SharedPresence;
  readonly changed: string[];
  names(channel?: PresenceChannelName): Promise<string[]>;
}

describe.each(['postgres', 'embedded'] as const)('presence on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('of several gateways', () => {
    let test: TestBrokers;
    let opened: SharedPresence[];
    beforeEach(async () => {
      test = await openTestBrokers(engine);
      await migrate(test.db, [realtimeMigrations]);
      opened = [];
    });
    afterEach(async () => {
      for (const presence of opened) await presence.close();
      await test.close();
    });

    async function open(options: Partial<SharedPresenceOptions> = {}): Promise<TestPresence> {
      const changed: string[] = [];
      let presence: SharedPresence | undefined;
      const { log } = await test.start({ onPresence: (channel) => presence?.onChanged(channel) });
      const { db } = test;
      presence = new SharedPresence({ db, log, onError: () => undefined, graceMs: 1, ...options });
      presence.start(({ realm, path }) => changed.push(`${realm} ${path}`));
      opened.push(presence);
      const list = presence;
      const names = async (channel = room) =>
        (await list.list(channel, 1_000)).map(({ member }) => member).toSorted();
      return { presence, changed, names };
    }

    it('shows the members of all of them, and tells all of changes', async () => {
      const [a, b] = [await open(), await open()];
      await a.presence.join(room, ann);
      expect(await b.presence.list(room, 10)).toEqual([ann]);
      await expect.poll(() => b.changed, wait).toEqual(['shop /default/room']);
      await b.presence.join({ ...room, realm: 'pay' }, { member: 'bob', data: null });
      expect(await b.names({ ...room, realm: 'pay' })).toEqual(['bob']);
      await b.presence.join(room, ann);
      await a.presence.leave(room, 'ann');
      expect(await a.names()).toEqual(['ann']);
      await b.presence.leave(room, 'ann');
      expect(await a.names()).toEqual([]);
      await expect.poll(() => a.changed.length, wait).toBe(5);
    });

    it('takes the last of the changes of a member that come at once', async () => {
      const a = await open();
      const changes: Promise<void>[] = [];
      for (let n = 0; n < 200; n += 1) {
        for (let member = 0; member < 20; member += 1) {
          const name = `m${member}`;
          // In the end, those with an even number are there.
          const joins = n === 199 ? member % 2 === 0 : (n + member) % 3 > 0;
          changes.push(
            joins ? a.presence.join(room, { member: name, data: n }) : a.presence.leave(room, name),
          );
        }
        if (n % 50 === 0) await changes[n];
      }
      await Promise.all(changes);
      const even = Array.from({ length: 10 }, (_, n) => `m${n * 2}`).toSorted();
      expect(await a.names()).toEqual(even);
      expect((await a.presence.list(room, 10))[0]?.data).toBe(199);
    });

    it('lets the members of a gateway leave when it has gone without a word', async () => {
      const watcher = await open({ leaseMs: 3_000 });
      await watcher.names();
      const gone = await open({ leaseMs: 15_000 });
      await gone.presence.join(room, ann);
      await gone.presence.join(room, { member: 'bob', data: 1 });
      await watcher.presence.join(room, { member: 'bob', data: 2 });
      await expect.poll(() => watcher.names(), wait).toEqual(['ann', 'bob']);
      await gone.presence.close();
      await expect.poll(() => watcher.names(), wait).toEqual(['bob']);
      await expect.poll(() => watcher.changed.length, wait).toBeGreaterThan(3);
    });

    it('joins its members again when others took its lease for ended', async () => {
      const [a, b] = [await open({ leaseMs: 3_000 }), await open({ leaseMs: 3_000 })];
      await a.presence.join(room, ann);
      await a.presence.join(room, { member: 'bob', data: null });
      await a.presence.leave(room, 'bob');
      await expect.poll(() => b.changed.length, wait).toBeGreaterThanOrEqual(3);
      const before = b.changed.length;
      // Neither tells anybody: the next change is that it has joined again.
      await test.db.query('delete from realtime.member');
      await test.db.query('delete from realtime.node');
      await expect.poll(() => b.changed.length, wait).toBeGreaterThan(before);
      await expect.poll(() => b.names(), wait).toEqual(['ann']);
    });
  });
});

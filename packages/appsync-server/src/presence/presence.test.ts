import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawClient } from '../../test/raw-client.js';
import { apiKeys, startRealtime, type TestServer } from '../../test/test-server.js';
import { MemoryPresence } from './memory-presence.js';
import type { PresenceChannelName } from './presence-store.js';

const wait = { timeout: 30_000 };
const room = '/default/room';

async function openPresent(server: TestServer, key = 'key'): Promise<RawClient> {
  const client = await server.connect({ credential: { host: 'localhost', 'x-api-key': key } });
  client.send({ type: 'connection_init', extensions: ['presence'] });
  await client.next(({ type }) => type === 'connection_ack');
  return client;
}

async function enter(client: RawClient, presence: unknown, id = 's') {
  return enterChannel(client, room, { presence, id });
}

async function enterChannel(
  client: RawClient,
  channel: string,
  { presence, id }: { presence: unknown; id: string },
) {
  client.send({ type: 'subscribe', id, channel, presence });
  return client.next((frame) => frame.id === id && frame.type.startsWith('subscribe'));
}

const presenceOf = ({ frames }: RawClient, id = 's') =>
  frames.filter((frame) => frame.type === 'presence' && frame.id === id);

/** Presence as texts: `members a,b`, `join a`, `leave a`. */
function storyOf(client: RawClient, id = 's'): string[] {
  return presenceOf(client, id).map(({ event, member, members }) => {
    const list = (members as { member: string }[] | undefined)?.map((each) => each.member);
    return `${event} ${member ?? list?.toSorted().join()}`;
  });
}

/** Members that a client takes to be there. */
function membersOf(client: RawClient, id = 's'): string[] {
  const present = new Set<string>();
  for (const { event, member, members } of presenceOf(client, id)) {
    if (event === 'join') present.add(String(member));
    else if (event === 'leave') present.delete(String(member));
    else for (const each of members as { member: string }[]) present.add(each.member);
  }
  return [...present].toSorted();
}

describe('presence', () => {
  it('shows a watcher who is there, who comes and who goes', async () => {
    const server = await startRealtime({ presenceGraceMs: 1 });
    const watcher = await openPresent(server);
    await enter(watcher, {});
    await expect.poll(() => storyOf(watcher)).toEqual(['members ']);
    const ann = await openPresent(server);
    await enter(ann, { member: 'ann', data: { mood: 'ü' } });
    await expect.poll(() => presenceOf(ann).length).toBe(1);
    const members = [{ member: 'ann', data: { mood: 'ü' } }];
    expect(presenceOf(ann)[0]).toEqual({ type: 'presence', id: 's', event: 'members', members });
    const types = ann.frames.map(({ type }) => type).filter((type) => type !== 'ka');
    expect(types).toEqual(['connection_ack', 'subscribe_success', 'presence']);
    const bob = await openPresent(server);
    await enter(bob, { member: 'bob' });
    await expect.poll(() => storyOf(bob)).toEqual(['members ann,bob']);
    ann.socket.close();
    bob.send({ type: 'unsubscribe', id: 's' });
    await expect.poll(() => storyOf(watcher).length, wait).toBe(5);
    expect(storyOf(watcher).slice(0, 3)).toEqual(['members ', 'join ann', 'join bob']);
    expect(storyOf(watcher).slice(3).toSorted()).toEqual(['leave ann', 'leave bob']);
    const joins = presenceOf(watcher).filter(({ event }) => event === 'join');
    expect(joins).toEqual([
      { type: 'presence', id: 's', event: 'join', ...members[0] },
      { type: 'presence', id: 's', event: 'join', member: 'bob' },
    ]);
  });

  it('is not for clients that have not asked for the extension', async () => {
    const server = await startRealtime();
    const client = await server.open();
    await enter(client, { member: 'ann' });
    const watcher = await openPresent(server);
    await enter(watcher, {});
    await expect.poll(() => storyOf(watcher)).toEqual(['members ']);
    expect(presenceOf(client)).toEqual([]);
  });

  it('takes the id of the identity for a member that gives no name', async () => {
    const authorizers = [apiKeys({ key: { id: 'ann' } })];
    const client = await openPresent(await startRealtime({ authorizers }));
    await enter(client, { data: 1 });
    await expect.poll(() => storyOf(client)).toEqual(['members ann']);
  });

  it('sees one member in two tabs, until both are closed', async () => {
    const server = await startRealtime({ presenceGraceMs: 1 });
    const [watcher, one, two] = [
      await openPresent(server),
      await openPresent(server),
      await openPresent(server),
    ];
    await enter(watcher, { member: 'bob' });
    await expect.poll(() => storyOf(watcher)).toEqual(['members bob']);
    for (const tab of [one, two]) await enter(tab, { member: 'ann' });
    await expect.poll(() => storyOf(two)).toEqual(['members ann,bob']);
    one.socket.close();
    // Something that comes after a leave would have come.
    await enter(await openPresent(server), { member: 'cat' });
    await expect.poll(() => storyOf(watcher)).toEqual(['members bob', 'join ann', 'join cat']);
    two.socket.close();
    await expect.poll(() => storyOf(watcher).at(-1), wait).toBe('leave ann');
  });

  it('tells nobody of a reconnect, and of new data only', async () => {
    const server = await startRealtime({ presenceGraceMs: 60_000 });
    const watcher = await openPresent(server);
    await enter(watcher, {});
    for (let n = 0; n < 20; n += 1) {
      const ann = await openPresent(server);
      await enter(ann, { member: 'ann', data: 'here' });
      await expect.poll(() => storyOf(ann)).toEqual(['members ann']);
      ann.socket.terminate();
      await expect.poll(() => server.realtime.counts().connections).toBe(1);
    }
    const away = await openPresent(server);
    await enter(away, { member: 'ann', data: 'away' });
    await expect.poll(() => storyOf(watcher)).toEqual(['members ', 'join ann', 'join ann']);
    expect(presenceOf(watcher).at(-1)).toMatchObject({ member: 'ann', data: 'away' });
  });

  it.each<[string, unknown]>([
    ['no object', 7],
    ['a list', ['ann']],
    ['a member that is no text', { member: 7 }],
    ['an empty member', { member: '' }],
    ['a long member', { member: 'x'.repeat(129) }],
    ['a member with a control character', { member: 'a\u0000' }],
    ['a member with half a character', { member: '\ud800' }],
    ['too much data', { member: 'ann', data: 'x'.repeat(1_023) }],
  ])('refuses %s', async (_what, presence) => {
    const client = await openPresent(await startRealtime());
    expect(await enter(client, presence)).toMatchObject({
      type: 'subscribe_error',
      errors: [{ errorType: 'BadRequestException' }],
    });
  });

  it('takes data up to 1 kB, and names of 128 characters', async () => {
    const client = await openPresent(await startRealtime());
    const member = { member: 'ü'.repeat(128), data: 'x'.repeat(1_022) };
    await enter(client, member);
    await expect.poll(() => presenceOf(client)[0]?.members).toEqual([member]);
  });

  it('is for exact channels and for those who may subscribe', async () => {
    const mayUse = (_operation: string, { path }: { path: string }) => path !== '/default/secret';
    const server = await startRealtime({ authorizers: [apiKeys({ key: { mayUse } })] });
    const client = await openPresent(server);
    const refused = await enterChannel(client, '/default/*', { presence: {}, id: 'a' });
    expect(refused).toMatchObject({ errors: [{ errorType: 'BadRequestException' }] });
    expect((await enterChannel(client, '/default/secret', { presence: {}, id: 'b' })).type).toBe(
      'subscribe_error',
    );
    expect((await enterChannel(client, '/default/*', { presence: undefined, id: 'c' })).type).toBe(
      'subscribe_success',
    );
    expect(presenceOf(client, 'b')).toEqual([]);
  });

  it('stays within a realm', async () => {
    const authorizers = [apiKeys({ key: { realm: 'a' }, other: { realm: 'b' } })];
    const server = await startRealtime({ authorizers });
    const [ours, theirs] = [await openPresent(server), await openPresent(server, 'other')];
    await enter(ours, { member: 'ann' });
    await enter(theirs, { member: 'bob' });
    await expect.poll(() => storyOf(theirs)).toEqual(['members bob']);
    expect(storyOf(ours)).toEqual(['members ann']);
  });

  it('lets in as many members as a channel may have, and others watch', async () => {
    const server = await startRealtime({ limits: { membersPerChannel: 3 }, presenceGraceMs: 1 });
    const clients: RawClient[] = [];
    for (const member of ['a', 'b', 'c']) {
      const client = await openPresent(server);
      clients.push(client);
      expect((await enter(client, { member })).type).toBe('subscribe_success');
    }
    const late = await openPresent(server);
    expect(await enter(late, { member: 'd' })).toMatchObject({
      type: 'subscribe_error',
      errors: [{ errorType: 'LimitExceededError' }],
    });
    expect((await enter(late, {}, 'w')).type).toBe('subscribe_success');
    expect((await enter(late, { member: 'a' }, 'again')).type).toBe('subscribe_success');
    await expect.poll(() => storyOf(late, 'w')).toEqual(['members a,b,c']);
    clients[1]?.socket.close();
    await expect.poll(() => membersOf(late, 'w'), wait).toEqual(['a', 'c']);
    expect((await enter(late, { member: 'd' }, 'd')).type).toBe('subscribe_success');
    await expect.poll(() => membersOf(late, 'w'), wait).toEqual(['a', 'c', 'd']);
  });

  it('ends when the credential of a member does', async () => {
    const keys: Record<string, object> = { key: {}, short: {} };
    const server = await startRealtime({ authorizers: [apiKeys(keys)], presenceGraceMs: 1 });
    const watcher = await openPresent(server);
    await enter(watcher, {});
    await enter(await openPresent(server, 'short'), { member: 'ann' });
    await expect.poll(() => storyOf(watcher)).toEqual(['members ', 'join ann']);
    delete keys.short;
    await expect.poll(() => storyOf(watcher).at(-1), wait).toBe('leave ann');
  });

  it('goes on after faults of the store, which nobody sees', async () => {
    const errors: unknown[] = [];
    class FaultyPresence extends MemoryPresence {
      faults = 3;
      override async join(...given: Parameters<MemoryPresence['join']>): Promise<void> {
        this.#fail();
        await super.join(...given);
      }
      override async list(channel: PresenceChannelName, limit: number) {
        this.#fail();
        return super.list(channel, limit);
      }
      #fail(): void {
        this.faults -= 1;
        if (this.faults >= 0) throw new Error('away');
      }
    }
    const presence = new FaultyPresence();
    const onError = (error: unknown) => errors.push(error);
    const client = await openPresent(await startRealtime({ presence, onError }));
    expect((await enter(client, { member: 'ann' })).type).toBe('subscribe_success');
    await expect.poll(() => storyOf(client), wait).toEqual(['members ann']);
    expect(errors).toHaveLength(3);
  });

  it('is right in the end, however members come and go', async () => {
    const steps = fc.array(
      fc.record({
        who: fc.constantFrom('ann', 'bob', 'cat'),
        does: fc.constantFrom('enter', 'close', 'unsubscribe'),
        waits: fc.boolean(),
      }),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const server = await startRealtime({ presenceGraceMs: 5 });
        const watcher = await openPresent(server);
        await enter(watcher, {});
        const open: { who: string; client: RawClient; id: string }[] = [];
        for (const [index, { who, does, waits }] of taken.entries()) {
          const found = open.findIndex((each) => each.who === who);
          if (does === 'enter') {
            const client = await openPresent(server);
            await enter(client, { member: who }, `s${index}`);
            open.push({ who, client, id: `s${index}` });
          } else if (found >= 0) {
            const [left] = open.splice(found, 1);
            if (does === 'close') left?.client.socket.terminate();
            else left?.client.send({ type: 'unsubscribe', id: left.id });
          }
          if (waits) await new Promise((resolve) => setTimeout(resolve, 8));
        }
        const present = [...new Set(open.map(({ who }) => who))].toSorted();
        await expect.poll(() => membersOf(watcher), { ...wait, interval: 5 }).toEqual(present);
        // Nobody comes twice, or goes without having come.
        const seen = new Set<string>();
        for (const [event, member = ''] of storyOf(watcher).map((text) => text.split(' '))) {
          if (event === 'join') expect(seen.has(member)).toBe(false);
          if (event === 'join') seen.add(member);
          if (event === 'leave') expect(seen.delete(member)).toBe(true);
        }
      }),
      { numRuns: 25, endOnFailure: true },
    );
  }, 120_000);
});

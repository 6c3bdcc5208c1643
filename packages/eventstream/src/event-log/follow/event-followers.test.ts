import { EventEmitter } from 'node:events';
import { PlatformError } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { append, openTestLog, recordOf, type TestLog } from '../../../test/open-log.js';
import type { StoredRecord } from '../../record.js';
import {
  EventFollowers,
  type FollowerConnection,
  type FollowerOptions,
  type FollowRequest,
} from './event-followers.js';

const waitOptions = { timeout: 10_000 };

/** Connection that keeps what is sent, and can be made to wait. */
class TestConnection extends EventEmitter implements FollowerConnection {
  readonly #ended = new AbortController();
  readonly ended = this.#ended.signal;
  readonly values: string[] = [];
  cursor: string;
  /** Set while the client takes nothing. */
  blocked: Promise<void> | undefined;

  constructor(cursor: string) {
    super();
    this.cursor = cursor;
  }

  async send({ value }: StoredRecord, cursor: string): Promise<void> {
    await this.blocked;
    this.values.push(String(value));
    this.cursor = cursor;
  }

  moveTo(cursor: string): void {
    this.cursor = cursor;
  }

  end(): void {
    if (this.ended.aborted) return;
    this.#ended.abort();
    this.emit('close');
  }
}

describeWithPostgres('followers of the log', () => {
  let test: TestLog;
  let followers: EventFollowers;
  const start = (options: FollowerOptions = {}): EventFollowers => {
    followers = new EventFollowers(test.log, options);
    return followers;
  };
  const follow = (changes: Partial<FollowRequest<TestConnection>> = {}): Promise<TestConnection> =>
    followers.follow({
      query: { within: 'all', topics: ['orders'], from: 'end' },
      caller: 'one',
      open: (cursor) => new TestConnection(cursor),
      mayContinue: async () => true,
      onError: (error) => {
        throw error;
      },
      ...changes,
    });

  beforeEach(async () => {
    test = await openTestLog('postgres');
    await append(test, recordOf('first', 'k'));
  });
  afterEach(async () => {
    followers.close();
    await test.close();
  });

  it('get what is appended after their start, and continue at their cursor', async () => {
    start();
    const one = await follow();
    await append(test, recordOf('second', 'k'), recordOf('third', 'k'));
    await expect.poll(() => one.values, waitOptions).toEqual(['second', 'third']);
    one.end();
    await append(test, recordOf('fourth', 'k'));
    const query = { within: 'all', topics: ['orders'], cursor: one.cursor } as const;
    const two = await follow({ query });
    await expect.poll(() => two.values, waitOptions).toEqual(['fourth']);
    const all = await follow({ query: { within: 'all', topics: ['orders'], from: 'beginning' } });
    await expect.poll(() => all.values, waitOptions).toHaveLength(4);
    expect(one.values).toHaveLength(2);
  });

  it('do not miss what is appended while they start at the end', async () => {
    start();
    const one = await follow();
    one.end();
    await append(test, recordOf('meanwhile', 'k'));
    const two = await follow({ query: { within: 'all', topics: ['orders'], cursor: one.cursor } });
    await expect.poll(() => two.values, waitOptions).toEqual(['meanwhile']);
  });

  it('get a new cursor although their filter matches nothing', async () => {
    start({ pollMs: 20 });
    const one = await follow({
      query: { within: 'all', topics: ['orders'], from: 'end', name: 'rare' },
    });
    const { cursor } = one;
    await append(test, recordOf('common', 'k'));
    await expect.poll(() => one.cursor, waitOptions).not.toBe(cursor);
    expect(one.values).toEqual([]);
  });

  it('do not wait for one another', async () => {
    start();
    const [slow, quick] = await Promise.all([follow(), follow()]);
    const { promise, resolve } = Promise.withResolvers<void>();
    slow.blocked = promise;
    for (let i = 0; i < 5; i += 1) await append(test, recordOf(`e${i}`, 'k'));
    await expect.poll(() => quick.values, waitOptions).toHaveLength(5);
    expect(slow.values).toEqual([]);
    resolve();
    await expect.poll(() => slow.values, waitOptions).toHaveLength(5);
  });

  it('are refused when their caller has its share, and others are not', async () => {
    start({ maxFollowers: 4, maxFollowersPerCaller: 2 });
    const [one] = await Promise.all([follow(), follow()]);
    await expect(follow()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await follow({ caller: 'two' });
    one.end();
    // One that cannot start does not keep its place.
    const query = { within: 'all', topics: ['unknown'] } as const;
    await expect(follow({ query })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await follow();
    await expect(follow()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('are refused when an application has half of all, with whatever number of keys', async () => {
    start({ maxFollowers: 4, maxFollowersPerCaller: 2 });
    const shop = { applications: ['shop'] };
    const [one] = await Promise.all([
      follow({ ...shop, caller: 'one' }),
      follow({ applications: ['game', 'shop'], caller: 'two' }),
    ]);
    const third = { ...shop, caller: 'three' };
    await expect(follow(third)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await follow({ applications: ['game'], caller: 'four' });
    one.end();
    await follow(third);
    await follow({ applications: 'all', caller: 'five' });
  });

  it('are refused when there are maxFollowers, and after close', async () => {
    start({ maxFollowers: 2 });
    const [one] = await Promise.all([follow(), follow()]);
    expect(followers.count).toBe(2);
    await expect(follow()).rejects.toMatchObject({ code: 'OVERLOADED' });
    one.end();
    await follow();
    followers.close();
    expect(followers.count).toBe(0);
    await expect(follow()).rejects.toMatchObject({ code: 'STOPPING' });
  });

  it('are counted no longer when their topic does not exist', async () => {
    start();
    const missing = follow({ query: { within: 'all', topics: ['none'] } });
    await expect(missing).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    expect(followers.count).toBe(0);
  });

  it('are ended when they may not continue', async () => {
    start({ recheckMs: 20 });
    let may = true;
    const one = await follow({ mayContinue: async () => may });
    const two = await follow();
    may = false;
    await expect.poll(() => one.ended.aborted, waitOptions).toBe(true);
    expect(two.ended.aborted).toBe(false);
  });

  it('continue after a database could not be reached, and are ended by any other error', async () => {
    const errors: unknown[] = [];
    let failure: PlatformError | undefined;
    const log = {
      listEvents: (...args: Parameters<typeof test.log.listEvents>) =>
        failure ? Promise.reject(failure) : test.log.listEvents(...args),
      watch: (topic: string, onAppend: () => void) => test.log.watch(topic, onAppend),
    };
    followers = new EventFollowers(log, { pollMs: 20 });
    const one = await follow({ onError: (error) => errors.push(error) });
    failure = new PlatformError('DATABASE_UNAVAILABLE', 'away');
    await append(test, recordOf('second', 'k'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    failure = undefined;
    await expect.poll(() => one.values, waitOptions).toEqual(['second']);
    failure = new PlatformError('INTERNAL', 'broken');
    await expect.poll(() => one.ended.aborted, waitOptions).toBe(true);
    expect(errors).toEqual([failure]);
  });
});

import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NotifyChannel } from './notify-channel.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface FakeDatabase {
  readonly db: Database;
  isAway: boolean;
  /** Sends a notification from the database. */
  notify: (subject: string) => void;
  reconnect: () => void;
  /** Subjects of each NOTIFY statement. */
  readonly sent: unknown[];
  listening: number;
}

/** Creates a database that only has notifications. */
function createFake(): FakeDatabase {
  const fake: Omit<FakeDatabase, 'db'> = {
    isAway: false,
    notify: () => undefined,
    reconnect: () => undefined,
    sent: [],
    listening: 0,
  };
  const gone = (): PlatformError => new PlatformError('DATABASE_UNAVAILABLE', 'away');
  const db: Pick<Database, 'listen' | 'query'> = {
    async listen(_channel, onNotification, onReconnect) {
      if (fake.isAway) throw gone();
      fake.listening += 1;
      fake.notify = onNotification;
      fake.reconnect = () => onReconnect?.();
      return {
        close: async () => {
          fake.listening -= 1;
        },
      };
    },
    async query(_statement, values) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (fake.isAway) throw gone();
      fake.sent.push(values?.[1]);
      return { rows: [], rowCount: 0 };
    },
  };
  return Object.assign(fake, { db: db as Database });
}

it('notifies the watchers of the subject, until they end it', async () => {
  const fake = createFake();
  const channel = new NotifyChannel(fake.db, 'channel');
  const [a, b] = [vi.fn(), vi.fn()];
  const endA = channel.watch('a', a);
  channel.watch('b', b);
  await vi.advanceTimersByTimeAsync(1);
  fake.notify('a');
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([1, 0]);
  fake.reconnect();
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([2, 1]);
  endA();
  fake.notify('a');
  expect(a).toHaveBeenCalledTimes(2);
  expect(fake.listening).toBe(1);
  await channel.close();
  expect(fake.listening).toBe(0);
});

it('listens again after a failure, and then notifies all watchers', async () => {
  const fake = createFake();
  fake.isAway = true;
  const channel = new NotifyChannel(fake.db, 'channel');
  const onHint = vi.fn();
  channel.watch('a', onHint);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(onHint).not.toHaveBeenCalled();
  fake.isAway = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(onHint).toHaveBeenCalledOnce();
  expect(fake.listening).toBe(1);
  await channel.close();
});

it('sends the hints of one moment together, and ignores failures', async () => {
  const fake = createFake();
  const channel = new NotifyChannel(fake.db, 'channel');
  for (const subject of ['a', 'b', 'a', 'c']) channel.hint(subject);
  await vi.advanceTimersByTimeAsync(30);
  expect(fake.sent).toEqual([['a'], ['b', 'a', 'c']]);
  fake.isAway = true;
  channel.hint('lost');
  await vi.advanceTimersByTimeAsync(30);
  fake.isAway = false;
  channel.hint('d');
  await vi.advanceTimersByTimeAsync(30);
  expect(fake.sent.slice(2)).toEqual([['d']]);
  await channel.close();
});

it('notifies watchers of all subjects of every hint, and of hints that may be lost', async () => {
  const fake = createFake();
  const channel = new NotifyChannel(fake.db, 'channel');
  const seen: (string | undefined)[] = [];
  const end = channel.watchAll((subject) => seen.push(subject));
  await vi.advanceTimersByTimeAsync(0);
  fake.notify('a');
  fake.notify('b');
  fake.reconnect();
  expect(seen).toEqual(['a', 'b', undefined]);
  end();
  fake.notify('c');
  expect(seen).toHaveLength(3);
  await channel.close();
});

it('sends notifications one after another, with a pause between them', async () => {
  const fake = createFake();
  const channel = new NotifyChannel(fake.db, 'channel');
  channel.hint('a');
  await vi.advanceTimersByTimeAsync(10);
  for (let n = 0; n < 100; n++) channel.hint(`b${n % 2}`);
  await vi.advanceTimersByTimeAsync(100);
  expect(fake.sent).toEqual([['a'], ['b0', 'b1']]);
  const closing = channel.close();
  await vi.advanceTimersByTimeAsync(20);
  await closing;
});

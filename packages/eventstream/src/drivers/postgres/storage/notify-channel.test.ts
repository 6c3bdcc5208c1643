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
  /** As the database tells it. */
  notify: (subject: string) => void;
  reconnect: () => void;
  /** Subjects of each NOTIFY statement. */
  readonly sent: unknown[];
  listening: number;
}

/** A database of which only notifications are asked. */
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

it('tells those who watch the subject, until they end it', async () => {
  const fake = createFake();
  const wakeups = new NotifyChannel(fake.db, 'channel');
  const [a, b] = [vi.fn(), vi.fn()];
  const endA = wakeups.watch('a', a);
  wakeups.watch('b', b);
  await vi.advanceTimersByTimeAsync(1);
  fake.notify('a');
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([1, 0]);
  fake.reconnect();
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([2, 1]);
  endA();
  fake.notify('a');
  expect(a).toHaveBeenCalledTimes(2);
  expect(fake.listening).toBe(1);
  await wakeups.close();
  expect(fake.listening).toBe(0);
});

it('asks a database again that could not be listened to, and then tells all', async () => {
  const fake = createFake();
  fake.isAway = true;
  const wakeups = new NotifyChannel(fake.db, 'channel');
  const wake = vi.fn();
  wakeups.watch('a', wake);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(wake).not.toHaveBeenCalled();
  fake.isAway = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(wake).toHaveBeenCalledOnce();
  expect(fake.listening).toBe(1);
  await wakeups.close();
});

it('sends the hints of one moment together, and minds no failure', async () => {
  const fake = createFake();
  const wakeups = new NotifyChannel(fake.db, 'channel');
  for (const subject of ['a', 'b', 'a', 'c']) wakeups.hint(subject);
  await vi.advanceTimersByTimeAsync(30);
  expect(fake.sent).toEqual([['a'], ['b', 'a', 'c']]);
  fake.isAway = true;
  wakeups.hint('lost');
  await vi.advanceTimersByTimeAsync(30);
  fake.isAway = false;
  wakeups.hint('d');
  await vi.advanceTimersByTimeAsync(30);
  expect(fake.sent.slice(2)).toEqual([['d']]);
  await wakeups.close();
});

it('tells those who watch all of every subject, and of what may have been missed', async () => {
  const fake = createFake();
  const wakeups = new NotifyChannel(fake.db, 'channel');
  const seen: (string | undefined)[] = [];
  const end = wakeups.watchAll((subject) => seen.push(subject));
  await vi.advanceTimersByTimeAsync(0);
  fake.notify('a');
  fake.notify('b');
  fake.reconnect();
  expect(seen).toEqual(['a', 'b', undefined]);
  end();
  fake.notify('c');
  expect(seen).toHaveLength(3);
  await wakeups.close();
});

it('gives hints one after another, with a rest between them', async () => {
  const fake = createFake();
  const wakeups = new NotifyChannel(fake.db, 'channel');
  wakeups.hint('a');
  await vi.advanceTimersByTimeAsync(10);
  for (let n = 0; n < 100; n++) wakeups.hint(`b${n % 2}`);
  await vi.advanceTimersByTimeAsync(100);
  expect(fake.sent).toEqual([['a'], ['b0', 'b1']]);
  const closing = wakeups.close();
  await vi.advanceTimersByTimeAsync(20);
  await closing;
});

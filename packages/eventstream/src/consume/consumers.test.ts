import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Consuming,
  createManualCallback,
  rawHandler,
  registration,
  startConsuming,
  untilCommitted,
} from '../../test/consuming.js';
import { storedRecord } from '../../test/manual-driver.js';
import { offsetBeginning, offsetEnd } from '../driver.js';

let consuming: Consuming;
beforeEach(() => {
  consuming = startConsuming();
});
afterEach(() => consuming.consumers.close({ drainMs: 0 }));

describe('the dispatch of events', () => {
  it('joins a topic and group once, whatever the number of callbacks', () => {
    for (const name of ['login', 'logout', '']) {
      consuming.consumers.register(registration(name, () => undefined));
    }
    consuming.consumers.register(registration('login', () => undefined, { groupId: 'other' }));
    expect(consuming.subscriptions.map(({ request }) => request.groupId)).toEqual([
      'game.mail',
      'other',
    ]);
  });

  it('hands each event to everybody who asked for its name, and skips the others', async () => {
    const got: string[] = [];
    const note = (who: string) => (_ctx: unknown, event: { name: string } | null) =>
      got.push(`${who} ${event?.name}`);
    consuming.consumers.register(registration('login', note('A')));
    consuming.consumers.register(registration('logout', note('B')));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([
      storedRecord(0, { name: 'logout' }),
      storedRecord(1, { name: 'other' }),
      storedRecord(2, { name: 'login' }),
    ]);
    await untilCommitted(consuming.main, 3);
    expect(got).toEqual(['B logout', 'A login']);
    expect(consuming.reports.lines).toEqual(['0 handled', '1 skipped', '2 handled']);
  });

  it('does not acknowledge an event for one name while another name works on it', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback));
    consuming.consumers.register(registration('', () => undefined));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(consuming.main.commits).toEqual([]);
    pending.get('id-0')?.done();
    await untilCommitted(consuming.main, 1);
  });

  it('shares the events between two equal registrations', async () => {
    const counts = [0, 0];
    for (const index of [0, 1]) {
      consuming.consumers.register(
        registration('login', () => {
          counts[index] = (counts[index] ?? 0) + 1;
        }),
      );
    }
    consuming.main.handler.assigned([0]);
    await consuming.deliver([0, 1, 2, 3].map((offset) => storedRecord(offset, {})));
    expect(counts).toEqual([2, 2]);
  });

  it('refuses equal registrations with other options, and consumers with other settings', () => {
    consuming.consumers.register(registration('login', () => undefined));
    expect(() =>
      consuming.consumers.register(registration('login', () => undefined, { sendErrorDlq: true })),
    ).toThrow(
      expect.objectContaining({
        code: 'EVENT_ALREADY_REGISTERED',
        message: 'topic and event already registered. topic: game.account , event: login',
      }),
    );
    expect(() =>
      consuming.consumers.register(registration('logout', () => undefined, { concurrency: 4 })),
    ).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });

  it('hands raw callbacks the bytes, also those of a record without a value', async () => {
    const got: unknown[] = [];
    const raw = rawHandler((ctx, value) => got.push([ctx.record?.offset, value?.toString()]));
    consuming.consumers.register(registration('login', raw));
    consuming.consumers.register(registration('login', () => got.push('event')));
    consuming.main.handler.assigned([0]);
    const full = storedRecord(1, {});
    await consuming.deliver([
      storedRecord(0, { value: null }),
      full,
      storedRecord(2, { name: 'logout' }),
    ]);
    await untilCommitted(consuming.main, 3);
    expect(got).toEqual([[0n, undefined], 'event', [1n, full.value?.toString()]]);
  });

  it('acknowledges a record without a value when there is no raw callback', async () => {
    const callback = vi.fn();
    consuming.consumers.register(registration('', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, { value: null })]);
    await untilCommitted(consuming.main, 1);
    expect(callback).not.toHaveBeenCalled();
    expect(consuming.reports.lines).toEqual(['0 skipped']);
  });

  it('does not decode records when only raw callbacks for all events are registered', async () => {
    const got: unknown[] = [];
    consuming.consumers.register(
      registration(
        '',
        rawHandler((_ctx, value) => got.push(value?.toString())),
      ),
    );
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, { value: Buffer.from('{') })]);
    await untilCommitted(consuming.main, 1);
    expect(got).toEqual(['{']);
    expect(consuming.reports.lines).toEqual(['0 handled']);
  });
});

describe('a consumer’s subscription on its driver', () => {
  it('starts at the end and drains within 20 seconds by default', () => {
    consuming.consumers.register(registration('login', () => undefined));
    expect(consuming.main.request).toEqual({
      topic: 'game.account',
      groupId: 'game.mail',
      groupInstanceId: undefined,
      startOffset: offsetEnd,
      drainMs: 20_000,
    });
  });

  it('passes start offset, instance id and drain time', () => {
    const settings = { startOffset: offsetBeginning, groupInstanceId: 'pod-1', drainMs: 1_000 };
    consuming.consumers.register(registration('login', () => undefined, settings));
    expect(consuming.main.request).toMatchObject(settings);
  });

  it.each([
    { concurrency: 0 },
    { maxInHand: 0 },
    { commitIntervalMs: -1 },
    { drainMs: 1.5 },
    { handlerTimeoutMs: 0 },
  ])('refuses %o', (fields) => {
    expect(() =>
      consuming.consumers.register(registration('login', () => undefined, fields)),
    ).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    expect(consuming.subscriptions).toEqual([]);
  });

  it('reports an interruption, and shows it until the stream is back', async () => {
    consuming.consumers.register(registration('login', () => undefined));
    consuming.main.handler.interrupted(new Error('broker away'));
    expect(consuming.reports.lines).toEqual(['interrupted: broker away']);
    expect(consuming.consumers.status()).toMatchObject([
      { interruption: new Error('broker away') },
    ]);
    consuming.main.handler.assigned([4]);
    expect(consuming.consumers.status()).toEqual([
      {
        topic: 'game.account',
        groupId: 'game.mail',
        interruption: undefined,
        partitions: [{ partition: 4, inHand: 0, blocked: false }],
        losses: [],
      },
    ]);
  });
});

import { includesChannel, parseChannel } from '@posthaste/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveredBatch, MissedRequest } from './broker.js';
import { ChannelHistory, cutBatch } from './channel-history.js';

function channelOf(path: string) {
  const channel = parseChannel(path);
  if (channel === undefined) throw new Error(`${path} is no channel`);
  return channel;
}

function batchOf(path: string, position: bigint, texts: readonly string[]): DeliveredBatch {
  const events = texts.map((event, index) => ({ id: `${position}-${index}`, event }));
  return { realm: 'shop', channel: channelOf(path), events, position };
}

function ask(path: string, after: bigint, more: Partial<MissedRequest> = {}): MissedRequest {
  const channel = channelOf(path);
  return { realm: 'shop', channel, after, before: 1_000_000n, maxEvents: 100_000, ...more };
}

/** Returns position and text of each event. */
function eventsOf(batches: readonly DeliveredBatch[]): [bigint, string][] {
  return batches.flatMap(({ events, position = -1n }) =>
    events.map(({ event }, index): [bigint, string] => [position + BigInt(index), event]),
  );
}

const channels = ['/a', '/a/b', '/a/c', '/a/b/d', '/e/b'];
const questions = [...channels, '/a/*', '/a/b/*', '/e/*', '/none'];

const published = fc.array(
  fc.record({
    channel: fc.constantFrom(...channels),
    texts: fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 3 }),
    gap: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 60 },
);

describe('the history of channels', () => {
  it('answers what it covers as one that keeps everything would', () => {
    const bounds = fc.record({
      maxBytes: fc.integer({ min: 400, max: 6_000 }),
      maxChannels: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(published, bounds, (batches, given) => {
        const history = new ChannelHistory(10n, given);
        const all: DeliveredBatch[] = [];
        let position = 10n;
        for (const { channel, texts, gap } of batches) {
          position += BigInt(gap);
          const batch = batchOf(channel, position, texts);
          position += BigInt(texts.length);
          history.add(batch);
          all.push(batch);
        }
        for (const path of questions) {
          const channel = channelOf(path);
          for (let after = 5n; after < position; after += 1n) {
            const question = ask(path, after, { before: position });
            // Before the first position, nothing can be known.
            if (after < 9n) expect(history.covers(question) && all.length === 0).toBe(false);
            if (!history.covers(question)) continue;
            const wanted = all
              .filter((batch) => includesChannel(channel, batch.channel))
              .flatMap((batch) => cutBatch(batch, question) ?? []);
            expect(eventsOf(history.find(question))).toEqual(eventsOf(wanted));
          }
        }
      }),
    );
  });

  it('covers everything since its beginning while it is within its bounds', () => {
    const history = new ChannelHistory(1n);
    history.add(batchOf('/a/b', 1n, ['1', '2']));
    history.add(batchOf('/a/c', 3n, ['3']));
    for (const path of questions) expect(history.covers(ask(path, 0n))).toBe(true);
    for (const path of questions) expect(history.covers(ask(path, -1n))).toBe(false);
    expect(eventsOf(history.find(ask('/a/*', 1n)))).toEqual([
      [2n, '2'],
      [3n, '3'],
    ]);
    expect(eventsOf(history.find(ask('/a/*', 1n, { before: 3n })))).toEqual([[2n, '2']]);
    expect(history.find(ask('/a/*', 3n))).toEqual([]);
  });

  it('keeps realms apart', () => {
    const history = new ChannelHistory(1n);
    history.add(batchOf('/a/b', 1n, ['1']));
    const question = ask('/a/b', 0n, { realm: 'pay' });
    expect(history.covers(question)).toBe(true);
    expect(history.find(question)).toEqual([]);
  });

  it('knows that a quiet channel has missed nothing, however much others have', () => {
    const history = new ChannelHistory(1n, { maxBytes: 2_000 });
    history.add(batchOf('/quiet/a', 1n, ['1']));
    for (let n = 2n; n < 500n; n += 1n) history.add(batchOf('/loud/a', n, ['2']));
    expect(history.covers(ask('/quiet/a', 1n))).toBe(true);
    expect(history.covers(ask('/quiet/a', 0n))).toBe(false);
    expect(history.covers(ask('/quiet/b', 0n))).toBe(true);
    expect(history.covers(ask('/loud/a', 400n))).toBe(false);
    expect(history.covers(ask('/loud/a', 498n))).toBe(true);
  });

  it('looks at no more than is asked for', () => {
    const history = new ChannelHistory(1n);
    for (let n = 1n; n < 100n; n += 1n) history.add(batchOf('/a', n, ['1']));
    expect(eventsOf(history.find(ask('/a', 0n, { maxEvents: 5 })))).toHaveLength(6);
  });
});

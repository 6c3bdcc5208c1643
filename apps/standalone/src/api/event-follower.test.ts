import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import type { ApiClient } from './api-client.js';
import { followEvents } from './event-follower.js';

const stream =
  'retry: 2000\nid: a\n\n:\n\nid: b\ndata: {"text":"ü: \\n"}\n\nid: c\n\nid: d\ndata: half';

/** Yields a text as bytes, so many at a time. */
async function* bytesOf(text: string, chunkBytes = 1_000): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += chunkBytes) yield bytes.subarray(i, i + chunkBytes);
}

/** Yields a text, and then rejects as a connection does that breaks. */
async function* brokenAfter(text: string): AsyncGenerator<Uint8Array> {
  yield* bytesOf(text);
  throw new TypeError('terminated');
}

interface Followed {
  /** Events that came. */
  readonly events: string[];
  /** `Last-Event-ID` of each connection; `undefined` where there was none. */
  readonly resumedAfter: (string | undefined)[];
  readonly lost: string[];
}

/** Follows connections that answer in this way, one after another, until none is left. */
async function follow(
  ...answers: (AsyncIterable<Uint8Array> | PlatformError)[]
): Promise<Followed> {
  const followed: Followed = { events: [], resumedAfter: [], lost: [] };
  const stop = new AbortController();
  const open: ApiClient['open'] = async (_path, { headers }) => {
    const answer = answers.shift();
    if (!answer) {
      stop.abort();
      throw stop.signal.reason;
    }
    followed.resumedAfter.push(headers?.['last-event-id']);
    if (answer instanceof PlatformError) throw answer;
    return answer;
  };
  const query = {
    current: new URLSearchParams(),
    changed: () => new Promise<void>(() => undefined),
  };
  for await (const event of followEvents({
    api: { open },
    query,
    signal: stop.signal,
    onLost: (reason) => followed.lost.push(reason),
    retryMs: 0,
  })) {
    followed.events.push(event);
  }
  return followed;
}

describe('following events', () => {
  it.each([1, 2, 3, 7, 1_000])('reads events that come %i bytes at a time', async (chunkBytes) => {
    expect(await follow(bytesOf(stream, chunkBytes))).toEqual({
      events: ['{"text":"ü: \\n"}'],
      resumedAfter: [undefined],
      lost: ['the gateway ended the connection'],
    });
  });

  it('continues after the last id, also one that came without an event', async () => {
    const { events, resumedAfter } = await follow(
      bytesOf('id: a\n\nid: b\ndata: 1\n\n'),
      bytesOf('id: c\n\n'),
      bytesOf('id: d\ndata: 2\n\n'),
    );
    expect(events).toEqual(['1', '2']);
    expect(resumedAfter).toEqual([undefined, 'b', 'c']);
  });

  it('does not continue after the id of an event that did not come whole', async () => {
    const { events, resumedAfter } = await follow(
      bytesOf('id: c\n\nid: d\ndata: half'),
      bytesOf('data: 1\n\n'),
    );
    expect(events).toEqual(['1']);
    expect(resumedAfter).toEqual([undefined, 'c']);
  });

  it('reports a lost connection once, and tries until the gateway answers again', async () => {
    const away = new PlatformError('GATEWAY_UNREACHABLE', 'it does not answer');
    const { events, resumedAfter, lost } = await follow(
      brokenAfter('id: a\ndata: 1\n\n'),
      away,
      away,
      brokenAfter('id: b\ndata: 2\n\n'),
    );
    expect(events).toEqual(['1', '2']);
    expect(resumedAfter).toEqual([undefined, 'a', 'a', 'a']);
    expect(lost).toEqual(['the connection was lost', 'the connection was lost']);
  });

  it('fails when the first connection fails, or the gateway refuses a later one', async () => {
    const away = new PlatformError('GATEWAY_UNREACHABLE', 'it does not answer');
    await expect(follow(away)).rejects.toBe(away);
    const refusal = new PlatformError('TOPIC_NOT_FOUND', 'no topic orders');
    await expect(follow(bytesOf('id: a\n\n'), refusal)).rejects.toBe(refusal);
  });

  it.each([
    ['never ends a line', 'data: '],
    ['never ends an event', 'data: x\n'],
  ])('fails on a stream that %s, and does not keep all of it in memory', async (_case, start) => {
    const chunk = Buffer.alloc(1024 * 1024, start.endsWith('\n') ? 'data: x\n' : 'x');
    let sent = 0;
    async function* hostile(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(start);
      for (; ; sent += chunk.length) yield chunk;
    }
    await expect(follow(hostile())).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
    expect(sent).toBeLessThan(80 * 1024 * 1024);
  });

  it('discards a comment that never ends', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    async function* endlessComment(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('id: a\n\n: ');
      for (let i = 0; i < 100; i++) yield chunk;
      yield Buffer.from('\n\nid: b\ndata: 1\n\n');
    }
    expect((await follow(endlessComment())).events).toEqual(['1']);
  });
});

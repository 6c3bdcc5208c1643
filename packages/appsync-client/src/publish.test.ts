import { describe, expect, it, onTestFinished } from 'vitest';
import { agreeable, startScripted } from '../test/scripted-server.js';
import { connect, createApiKeyConfig, type PartialPublishError } from './index.js';
import { Pace } from './pace.js';
import { splitEvents } from './publish.js';

const plain = { httpProtocol: 'http', webSocketProtocol: 'ws' } as const;

describe('a list of events', () => {
  it('is split at five events', () => {
    const parts = splitEvents(Array.from({ length: 12 }, (_, i) => `${i}`));
    expect(parts.map(({ start, events }) => [start, events.length])).toEqual([
      [0, 5],
      [5, 5],
      [10, 2],
    ]);
  });

  it('is split at 240 KB, in bytes of UTF-8', () => {
    const half = 'ä'.repeat(61_440);
    expect(splitEvents([half, half, '1']).map(({ events }) => events.length)).toEqual([2, 1]);
    expect(splitEvents([half.repeat(3), '1']).map(({ events }) => events.length)).toEqual([1, 1]);
    expect(splitEvents([])).toEqual([]);
  });

  it('has the indexes of the caller in its result', async () => {
    const server = await startScripted((frame, peer) => {
      const { type, id, events = [] } = frame;
      if (type !== 'publish') return agreeable(frame, peer);
      const failed = events.flatMap((event, index) =>
        event === '6' ? [{ identifier: 'x', index, code: 'EventTooLargeException' }] : [],
      );
      const successful = events.flatMap((event, index) =>
        event === '6' ? [] : [{ identifier: `e${event}`, index }],
      );
      return peer.send({ type: 'publish_success', id, successful, failed });
    });
    const config = createApiKeyConfig(server.endpoint, undefined, 'k', plain);
    const client = await connect(config);
    onTestFinished(() => client.close());
    const events = Array.from({ length: 8 }, (_, i) => `${i}`);
    const result = await client.publish('/default/a', events);
    expect(result.successIndexes).toEqual([0, 1, 2, 3, 4, 5, 7]);
    expect(result.failed).toEqual([{ identifier: 'x', index: 6, code: 'EventTooLargeException' }]);
    expect(await client.publishJson('/default/a', [{ a: 1 }])).toMatchObject({
      successIndexes: [0],
    });
  });

  it('of which a part fails carries the results before', async () => {
    const server = await startScripted((frame, peer) => {
      if (frame.type !== 'publish' || frame.events?.includes('0')) return agreeable(frame, peer);
      const errors = [{ errorType: 'LimitExceededError', errorCode: 429 }];
      return peer.send({ type: 'publish_error', id: frame.id, errors });
    });
    const client = await connect(createApiKeyConfig(server.endpoint, undefined, 'k', plain));
    onTestFinished(() => client.close());
    const events = Array.from({ length: 8 }, (_, i) => `${i}`);
    const error = (await client
      .publish('/default/a', events)
      .catch((reason: unknown) => reason)) as PartialPublishError;
    expect(error).toMatchObject({ reason: 'server_error', errors: [{ errorCode: 429 }] });
    expect(error.result.successIndexes).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('the pace of publishes', () => {
  it('lets so many begin in a second, and the next when the first is a second old', async () => {
    let now = 0;
    const clock = {
      now: () => now,
      setTimeout: (work: () => void, ms: number) => {
        now += ms;
        work();
      },
      clearTimeout: () => undefined,
    };
    const pace = new Pace(clock, 2);
    const starts: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      await pace.wait();
      starts.push(now);
      now += 100;
    }
    expect(starts).toEqual([0, 100, 1_000, 1_100, 2_000]);
  });
});

import { describe, expect, it } from 'vitest';
import { startRealtime } from '../../test/test-server.js';

describe('a limit', () => {
  it.each([
    ['publishesPerSecond', { publishesPerSecond: 2 }],
    ['eventsPerSecond', { eventsPerSecond: 2 }],
  ])('of %s refuses what is above, and lets it pass later', async (_name, limits) => {
    const client = await (await startRealtime({ limits })).open();
    const publish = (id: string) =>
      client.send({ type: 'publish', id, channel: '/default/a', events: ['1'] });
    for (const id of ['a', 'b', 'c']) publish(id);
    const refused = await client.next(({ id }) => id === 'c');
    expect(refused).toMatchObject({ errors: [{ errorType: 'LimitExceededError' }] });
    let tries = 0;
    await expect
      .poll(
        async () => {
          tries += 1;
          publish(`t${tries}`);
          return (await client.next(({ id }) => id === `t${tries}`)).type;
        },
        { timeout: 10_000, interval: 200 },
      )
      .toBe('publish_success');
  });

  it('of messages refuses publishes after too many were sent', async () => {
    const client = await (await startRealtime({ limits: { messagesPerSecond: 2 } })).open();
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      client.send({ type: 'subscribe', id, channel: '/default/a' });
    }
    client.send({ type: 'publish', id: 'p', channel: '/default/a', events: ['1'] });
    client.send({ type: 'publish', id: 'q', channel: '/default/a', events: ['1'] });
    const refused = await client.next(({ id }) => id === 'q');
    expect(refused).toMatchObject({ errors: [{ errorType: 'LimitExceededError' }] });
  });

  it('of bytes holds for events, publishes and subscribes', async () => {
    const limits = { maxEventBytes: 100, maxPublishBytes: 250, maxSubscribeBytes: 200 };
    const client = await (await startRealtime({ limits })).open();
    const event = (bytes: number) => `"${'ü'.repeat((bytes - 2) / 2)}"`;
    const publish = async (id: string, events: string[]) => {
      client.send({ type: 'publish', id, channel: '/default/a', events });
      return client.next((frame) => frame.id === id);
    };
    expect(await publish('a', [event(100), event(100)])).toMatchObject({ failed: [] });
    const failed = [{ index: 1, code: 'EventTooLargeException' }];
    expect(await publish('b', [event(100), event(102)])).toMatchObject({ failed });
    expect(await publish('c', [event(100), event(100), event(50)])).toMatchObject({ failed: [] });
    expect((await publish('d', [event(100), event(100), event(52)])).type).toBe('publish_error');
    client.send({ type: 'subscribe', id: 's', channel: '/default/a', x: 'x'.repeat(150) });
    expect(await client.next(({ id }) => id === 's')).toMatchObject({
      type: 'subscribe_error',
      errors: [{ errorType: 'BadRequestException' }],
    });
  });

  it('is refused at the start if it is no limit', () => {
    return Promise.all([
      expect(startRealtime({ limits: { eventsPerPublish: 0 } })).rejects.toThrow(
        'eventsPerPublish',
      ),
      expect(startRealtime({ limits: { events: 1 } as object })).rejects.toThrow("'events'"),
    ]);
  });
});

import { parseChannel } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import type { Namespace, NamespaceHandlers } from './namespace.js';
import { HandlerRunner, type HandlerRunnerOptions } from './run-handlers.js';

const channel = parseChannel('/default/room');
if (channel === undefined) throw new Error('no channel');
const request = {
  identity: { mode: 'API_KEY', id: 'a', realm: '' },
  headers: { 'x-custom': '1' },
  channel,
} as const;
const toEvents = (texts: readonly string[]) =>
  texts.map((event, index) => ({ id: `e${index}`, event }));

function publish(
  texts: readonly string[],
  onPublish?: NamespaceHandlers['onPublish'],
  more: Partial<Namespace> & HandlerRunnerOptions = {},
) {
  const namespace: Namespace = { name: 'default', ...more, handlers: { onPublish } };
  return new HandlerRunner(more).publish(namespace, { ...request, events: toEvents(texts) });
}

describe('onPublish', () => {
  it('is not needed: events go on as they came, letter for letter', async () => {
    const texts = ['{"a": 1.0,  "a":12345678901234567890}', '"x"', 'null'];
    const { broadcast, successful, failed, dropped } = await publish(texts);
    expect(broadcast.map(({ event }) => event)).toEqual(texts);
    expect(successful).toEqual([0, 1, 2].map((index) => ({ identifier: `e${index}`, index })));
    expect([failed, dropped]).toEqual([[], 0]);
  });

  it('rejects the whole batch when one event is not JSON', () => {
    for (const bad of ['eventa', '', '{', '{"a":1}x', 'undefined', '\u00a0']) {
      expect(() => publish(['1', bad])).toThrow(
        expect.objectContaining({ errorType: 'BadRequestException', errorCode: 400 }),
      );
    }
  });

  it('gets all events once, with identity, headers, channel and operation', async () => {
    let calls = 0;
    await publish(['{"n":1}', '2'], (context) => {
      calls += 1;
      expect(context.events).toEqual([
        { id: 'e0', payload: { n: 1 } },
        { id: 'e1', payload: 2 },
      ]);
      expect(context.identity.id).toBe('a');
      expect(context.request.headers).toEqual({ 'x-custom': '1' });
      expect(context.info).toEqual({
        channel: { path: '/default/room', segments: ['default', 'room'] },
        channelNamespace: { name: 'default' },
        operation: 'PUBLISH',
      });
      return context.events;
    });
    expect(calls).toBe(1);
  });

  it('changes, drops, fails and reorders events', async () => {
    const outcome = await publish(['{"n": 1}', '2', '3', '4'], async ({ events }) => [
      { id: 'e2', payload: { changed: true } },
      { id: 'e1', error: 'no twos' },
      { id: 'nobody', payload: 1 },
      { id: 'e0', payload: events[0]?.payload },
      { id: 'e0', payload: 'again' },
    ]);
    expect(outcome).toEqual({
      broadcast: [
        { id: 'e2', event: '{"changed":true}' },
        { id: 'e0', event: '{"n": 1}' },
      ],
      successful: [0, 2, 3].map((index) => ({ identifier: `e${index}`, index })),
      failed: [{ identifier: 'e1', index: 1, message: 'no twos' }],
      dropped: 1,
    });
  });

  it('sees a payload that it changed in place', async () => {
    const { broadcast } = await publish(['{"n":1}'], ({ events }) => {
      (events[0]?.payload as { n: number }).n = 2;
      return events;
    });
    expect(broadcast).toEqual([{ id: 'e0', event: '{"n":2}' }]);
  });

  it('broadcasts nothing for null and for an empty list', async () => {
    for (const returned of [null, []]) {
      const outcome = await publish(['1', '2'], () => returned);
      expect(outcome).toMatchObject({ broadcast: [], failed: [], dropped: 2 });
      expect(outcome.successful).toHaveLength(2);
    }
  });

  it('rejects the batch when it returns undefined or no list, or throws, and hides the reason', async () => {
    const errors: unknown[] = [];
    const onHandlerError = (error: unknown): void => void errors.push(error);
    const wrong = (value: unknown) => () => value as null;
    const failures: NamespaceHandlers['onPublish'][] = [
      wrong(undefined),
      wrong({}),
      wrong([null]),
      async () => undefined as unknown as null,
      async () => Promise.reject(new Error('password of the database')),
      () => {
        throw new Error('password of the database');
      },
      ({ events }) => {
        const loop: Record<string, unknown> = {};
        loop.loop = loop;
        return [{ id: events[0]?.id ?? '', payload: loop }];
      },
    ];
    for (const onPublish of failures) {
      const run = async () => publish(['1'], onPublish, { onHandlerError });
      await expect(run()).rejects.toMatchObject({ errorType: 'HandlerError' });
      await expect(run()).rejects.not.toThrow('password');
    }
    expect(errors).toHaveLength(failures.length * 2);
  });

  it('denies as Forbidden, or as Unauthorized with strictAws', async () => {
    const deny: NamespaceHandlers['onPublish'] = (context) => context.unauthorized();
    expect(() => publish(['1'], deny)).toThrow(
      expect.objectContaining({ errorType: 'Forbidden', errorCode: 403 }),
    );
    const denyLater: NamespaceHandlers['onPublish'] = async (context) => context.unauthorized();
    await expect(publish(['1'], denyLater, { strictAws: true })).rejects.toMatchObject({
      errorType: 'Unauthorized',
    });
  });

  it('has a limited time', async () => {
    const never = (): Promise<null> => new Promise(() => undefined);
    await expect(publish(['1'], never, { timeoutMs: 20 })).rejects.toMatchObject({
      errorType: 'HandlerError',
    });
  });

  it('inflates one of five events past the limit: it fails, and four arrive', async () => {
    const big = 'x'.repeat(240 * 1024);
    const outcome = await publish(['1', '2', '3', '4', '5'], ({ events }) =>
      events.map(({ id, payload }) => ({ id, payload: id === 'e2' ? big : payload })),
    );
    expect(outcome.broadcast.map(({ id }) => id)).toEqual(['e0', 'e1', 'e3', 'e4']);
    expect(outcome.failed).toEqual([
      {
        identifier: 'e2',
        index: 2,
        code: 'EventTooLargeException',
        message: 'Transformed event is larger than 240KB',
      },
    ]);
    expect(outcome.successful.map(({ index }) => index)).toEqual([0, 1, 3, 4]);
  });

  it('measures events in bytes, at the limit and one beyond', async () => {
    const { broadcast, failed } = await publish(['"ééé"', '"éééa"'], undefined, {
      maxEventBytes: 8,
    });
    expect(broadcast.map(({ event }) => event)).toEqual(['"ééé"']);
    expect(failed).toMatchObject([{ index: 1, code: 'EventTooLargeException' }]);
  });
});

describe('onSubscribe', () => {
  const subscribe = (
    onSubscribe: NamespaceHandlers['onSubscribe'],
    options?: HandlerRunnerOptions,
  ) =>
    new HandlerRunner(options).subscribe({ name: 'default', handlers: { onSubscribe } }, request);

  it('lets a subscriber in', async () => {
    expect(subscribe(undefined)).toBeUndefined();
    expect(subscribe(() => undefined)).toBeUndefined();
    await subscribe(async ({ info }) => expect(info.operation).toBe('SUBSCRIBE'));
  });

  it('denies, fails, or takes too long', async () => {
    expect(() => subscribe((context) => context.unauthorized())).toThrow(
      expect.objectContaining({ errorType: 'Forbidden' }),
    );
    const fails = async (): Promise<void> => Promise.reject(new Error('inner'));
    await expect(subscribe(fails)).rejects.toMatchObject({
      errorType: 'SubscriptionProcessingError',
    });
    const never = (): Promise<void> => new Promise(() => undefined);
    await expect(subscribe(never, { timeoutMs: 20 })).rejects.toMatchObject({
      errorType: 'SubscriptionProcessingError',
    });
  });
});

describe('the schema of a namespace', () => {
  it('fails the events that do not fit, before the handler', async () => {
    const schema = { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } };
    let seen = 0;
    const outcome = await publish(
      ['{"n":1}', '{"n":"1"}', '{}', '{"n":2}'],
      ({ events }) => {
        seen = events.length;
        return events;
      },
      { schema },
    );
    expect(seen).toBe(2);
    expect(outcome.broadcast.map(({ id }) => id)).toEqual(['e0', 'e3']);
    expect(outcome.failed).toMatchObject([
      { index: 1, code: 'SchemaValidationException', message: expect.stringContaining('/n') },
      { index: 2, code: 'SchemaValidationException' },
    ]);
    expect(outcome.dropped).toBe(0);
  });

  it('of a namespace that accepts nothing never calls the handler', async () => {
    const outcome = await publish(['1'], () => expect.fail('called'), { schema: false });
    expect(outcome).toMatchObject({ broadcast: [], successful: [], failed: [{ index: 0 }] });
  });
});

import { describe, expect, it } from 'vitest';
import {
  newSubscribe,
  type RegistrationOptions,
  type SubscribeRequest,
  toRegistration,
  toSubscription,
} from './subscribe.js';

const callback = (): void => undefined;
const options = { prefix: 'dev' };
const login: SubscribeRequest = { topic: 'player', eventName: 'login', groupId: 'shop', callback };

describe('toRegistration', () => {
  it('adds the prefix to topic and group', () => {
    expect(toRegistration(login, options)).toMatchObject({
      topic: 'dev.player',
      groupId: 'dev.shop',
      eventName: 'login',
      handler: { kind: 'event', callback },
    });
  });

  it('asks for all events, from the end, in a new group, by default', () => {
    const { groupId, eventName, startOffset } = toRegistration(
      { topic: 'player', callback },
      options,
    );
    expect(groupId).toMatch(/^dev\.[0-9a-f]{32}$/);
    expect({ eventName, startOffset }).toEqual({ eventName: '', startOffset: undefined });
  });

  it('supports groups of the Go SDK without a prefix', () => {
    const registration = toRegistration(login, { prefix: '', group: { leadingDot: true } });
    expect(registration).toMatchObject({ topic: 'player', groupId: '.shop' });
  });

  it('adds the prefix to the instance id of a static member, as to the group', () => {
    const member = { ...login, groupInstanceId: 'pod-1' };
    const instanceId = (names: RegistrationOptions): string | undefined =>
      toRegistration(member, names).groupInstanceId;
    expect(instanceId(options)).toBe('dev.pod-1');
    expect(instanceId({ prefix: '' })).toBe('pod-1');
    expect(instanceId({ prefix: '', group: { leadingDot: true } })).toBe('.pod-1');
    expect(toRegistration({ ...login, groupInstanceId: '' }, options).groupInstanceId).toBe(
      undefined,
    );
    const long = { ...login, groupInstanceId: 'x'.repeat(247) };
    expect(() => toRegistration(long, options)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ field: 'groupInstanceId' }) }),
    );
  });

  it('accepts a builder with the same result', () => {
    const { signal } = new AbortController();
    const builder = newSubscribe()
      .topic('player')
      .eventName('login')
      .groupId('shop')
      .groupInstanceId('pod-1')
      .offset(-2)
      .context(signal)
      .callback(callback)
      .sendErrorDlq(true)
      .asyncCommitMessage(false);
    const plain: SubscribeRequest = {
      ...{ ...login, groupInstanceId: 'pod-1', offset: -2n, signal, sendErrorDlq: true },
      commit: 'each',
    };
    expect(toRegistration(builder, options)).toEqual(toRegistration(plain, options));
    expect(toRegistration(builder, options)).toMatchObject({ startOffset: -2n, commit: 'each' });
    expect(builder.slug()).toBe('player$login$shop');
    expect(toRegistration(builder.asyncCommitMessage(true), options).commit).toBe('batched');
  });

  it('prefers the raw callback', () => {
    const callbackRaw = (): void => undefined;
    const expected = { handler: { kind: 'raw', callback: callbackRaw } };
    expect(toRegistration({ ...login, callbackRaw }, options)).toMatchObject(expected);
    const builder = newSubscribe().topic('player').callbackRaw(callbackRaw);
    expect(toRegistration(builder, options)).toMatchObject(expected);
  });

  it('allows dead letter topics', () => {
    expect(toRegistration({ ...login, topic: 'player.dlq' }, options).topic).toBe('dev.player.dlq');
  });

  it.each([null, undefined])('refuses %j', (request) => {
    expect(() => toRegistration(request as unknown as SubscribeRequest, options)).toThrow(
      expect.objectContaining({
        code: 'EVENT_INVALID',
        message: 'unable to subscribe nil event',
      }),
    );
  });

  it.each([
    ['topic', { topic: '' }],
    ['topic', { topic: 'player-' }],
    ['topic', { topic: 'player.shop.retry.1' }],
    ['eventName', { eventName: 'log in' }],
    ['groupId', { groupId: 'shop/1' }],
    ['groupInstanceId', { groupInstanceId: 'a b' }],
    ['offset', { offset: -3 }],
    ['offset', { offset: 1.5 }],
  ])('names the field that is wrong: %s in %o', (field, wrong) => {
    expect(() => toRegistration({ ...login, ...wrong }, options)).toThrow(
      expect.objectContaining({
        code: 'EVENT_INVALID',
        message: "subscribe struct isn't valid",
        details: { field, reason: expect.any(String) },
      }),
    );
  });

  it.each([{}, { callback: null }, { callback: 'text' }, { callback, callbackRaw: 7 }])(
    'refuses the callbacks %o',
    (callbacks) => {
      const request = { topic: 'player', ...callbacks } as SubscribeRequest;
      expect(() => toRegistration(request, options)).toThrow(
        expect.objectContaining({
          code: 'EVENT_INVALID',
          message: 'callback should not be nil',
          details: { field: 'callback', reason: 'must be a function' },
        }),
      );
    },
  );
});

describe('toSubscription', () => {
  it('needs no callback', () => {
    expect(toSubscription({ topic: 'player', groupId: 'shop', offset: 7 }, options)).toEqual({
      ...{ topic: 'dev.player', groupId: 'dev.shop', eventName: '' },
      ...{ groupInstanceId: undefined, startOffset: 7n },
    });
  });
});

import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { type BuildOptions, buildEvent } from './build-event.js';
import { newPublish, type PublishRequest } from './publish.js';

const uuid = '3671efef876b4133897d79134e936cd9';
const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;

const options: BuildOptions = {
  prefix: 'dev',
  profile: 'default',
  strictValidation: false,
  now: () => 1_767_323_045_999.5,
  newId: () => '0a',
};
const login = { topic: 'player', eventName: 'login', namespace: 'game' } as const;

function failure(request: unknown, more: Partial<BuildOptions> = {}): PlatformError {
  try {
    buildEvent(request as PublishRequest, { ...options, ...more });
  } catch (error) {
    if (error instanceof PlatformError) return error;
  }
  throw new Error('it was built');
}

describe('buildEvent', () => {
  it('adds id, version and time, and encodes the event', () => {
    const built = buildEvent({ ...login, payload: { a: 1 } }, options);
    expect(built.topics).toEqual(['dev.player']);
    expect(built.key.toString()).toBe('0a');
    expect(built.value.toString()).toBe(
      '{"id":"0a","name":"login","namespace":"game","timestamp":"2026-01-02T03:04:05Z","timestampUnixNano":1767323045999000000,"version":1,"payload":{"a":1}}',
    );
    expect(built.headers).toMatchObject({ ce_id: '0a', ce_type: 'login' });
    expect(built.envelope).toMatchObject({ id: '0a', name: 'login', payload: { a: 1 } });
  });

  it('names the application in the header alone, and only if there is one', () => {
    const plain = buildEvent(login, options);
    expect(plain.headers).not.toHaveProperty('posthaste-application');
    const named = [
      buildEvent({ ...login, application: 'shop' }, { ...options, application: 'other' }),
      buildEvent(newPublish().topic('player').eventName('login').namespace('game'), {
        ...options,
        application: 'shop',
      }),
      buildEvent({ ...login, application: '' }, { ...options, application: 'shop' }),
      buildEvent(
        newPublish().topic('player').eventName('login').namespace('game').application('shop'),
        { ...options, cloudEvents: false },
      ),
    ];
    for (const { value, headers } of named) {
      expect(value).toEqual(plain.value);
      expect(headers).toMatchObject({ 'posthaste-application': 'shop' });
    }
  });

  it.each(['x'.repeat(257), 'a\nb', 'a\ud800', 7])('refuses the application %j', (application) => {
    expect(failure({ ...login, application })).toMatchObject({
      code: 'EVENT_INVALID',
      details: { field: 'application' },
    });
  });

  it('writes the older envelope if asked', () => {
    const { value } = buildEvent(login, { ...options, profile: 'v3.1' });
    expect(value.toString()).toMatch(/^\{"id":"0a",.*"clientId":"".*"payload":null\}$/);
  });

  it('writes every field under its envelope key', () => {
    const built = buildEvent(
      {
        ...login,
        ...{ id: 'own', key: 'k', version: 2, eventId: 3, eventType: 4n, eventLevel: 5 },
        ...{ clientId: 'c', userId: 'u', sessionId: 's', traceId: 't', spanContext: 'sc' },
        ...{ parentNamespace: 'p', unionNamespace: 'n', targetNamespace: 'tn' },
        ...{ sourceNamespace: 'sn', serviceName: 'shop', privacy: true },
        ...{ clientIds: ['c1'], targetUserIds: ['u1'], additionalFields: { x: 1 } },
        ...{ unknownKeys: { later: 1 }, timestampUnixNano: -1n },
      },
      options,
    );
    expect(built.key.toString()).toBe('k');
    expect(JSON.parse(built.value.toString())).toEqual({
      ...{ id: 'own', name: 'login', namespace: 'game', version: 2, event_id: 3, event_type: 4 },
      ...{ event_level: 5, clientId: 'c', userId: 'u', sessionId: 's', traceId: 't' },
      ...{ spanContext: 'sc', parentNamespace: 'p', unionNamespace: 'n', target_namespace: 'tn' },
      ...{ sourceNamespace: 'sn', service: 'shop', privacy: true, client_ids: ['c1'] },
      ...{ target_user_ids: ['u1'], additional_fields: { x: 1 }, later: 1 },
      ...{ timestamp: '1969-12-31T23:59:59Z', timestampUnixNano: -1 },
    });
  });

  it('accepts a builder with the same result', () => {
    const { signal } = new AbortController();
    const onError = (): void => undefined;
    const builder = newPublish()
      .topic('player', 'audit')
      .topic('player')
      .eventName('login')
      .namespace('game')
      .parentNamespace('p')
      .unionNamespace('n')
      .targetNamespace('tn')
      .sourceNamespace('sn')
      .key('k')
      .id('own')
      .clientId('c')
      .userId('u')
      .sessionId('s')
      .traceId('t')
      .spanContext('sc')
      .context(signal)
      .eventId(3)
      .eventType(4)
      .eventLevel(5)
      .serviceName('shop')
      .clientIds(['c1'])
      .targetUserIds(['u1'])
      .privacy(true)
      .additionalFields({ x: 1 })
      .version(2)
      .payload({ a: 1 })
      .errorCallback(onError)
      .timeout(500);
    const built = buildEvent(builder, options);
    expect(built).toEqual(
      buildEvent(
        {
          ...{ ...login, topic: ['player', 'audit'], parentNamespace: 'p', unionNamespace: 'n' },
          ...{ targetNamespace: 'tn', sourceNamespace: 'sn', key: 'k', id: 'own', clientId: 'c' },
          ...{ userId: 'u', sessionId: 's', traceId: 't', spanContext: 'sc', signal, eventId: 3 },
          ...{ eventType: 4, eventLevel: 5, serviceName: 'shop', clientIds: ['c1'] },
          ...{ targetUserIds: ['u1'], privacy: true, additionalFields: { x: 1 }, version: 2 },
          ...{ payload: { a: 1 }, onError, timeoutMs: 500 },
        },
        options,
      ),
    );
    expect(built.topics).toEqual(['dev.player', 'dev.audit']);
    expect(built).toMatchObject({ timeoutMs: 500, onError, signal });
  });

  it('treats empty texts as not given', () => {
    const { envelope, key } = buildEvent(
      { ...login, namespace: '', id: '', key: '', spanContext: '', userId: '' },
      { ...options, strictValidation: true },
    );
    expect(buildEvent({ ...login, timeoutMs: 0 }, options).timeoutMs).toBeUndefined();
    expect(envelope).toMatchObject({ id: '0a', namespace: '' });
    expect(key.toString()).toBe('0a');
  });
});

describe('the trace of an event', () => {
  it('goes into the header, and fills the span context', () => {
    const built = buildEvent({ ...login, traceparent }, options);
    expect(built.headers).toMatchObject({ traceparent });
    expect(built.envelope.spanContext).toBe(`${trace}:00f067aa0ba902b7:0:1`);
  });

  it('is read from a span context', () => {
    const spanContext = `${trace}:f067aa0ba902b7:0:1`;
    const built = buildEvent({ ...login, spanContext }, { ...options, traceparent: 'other' });
    expect(built.headers).toMatchObject({ traceparent });
    expect(built.envelope.spanContext).toBe(spanContext);
  });

  it('is the publisher’s when the event has none', () => {
    const built = buildEvent(login, { ...options, traceparent });
    expect(built.headers).toMatchObject({ traceparent });
    expect(built.envelope.spanContext).toBe(`${trace}:00f067aa0ba902b7:0:1`);
  });

  it('is the only header when the record is not a CloudEvent', () => {
    const plain = { ...options, cloudEvents: false };
    expect(buildEvent({ ...login, traceparent }, plain).headers).toEqual({ traceparent });
    expect(buildEvent(login, plain).headers).toEqual({});
  });

  it('never stops an event', () => {
    const built = buildEvent({ ...login, traceparent: 'nonsense', spanContext: 'x' }, options);
    expect(built.headers).not.toHaveProperty('traceparent');
    expect(built.envelope.spanContext).toBe('x');
  });
});

describe('an event that is not valid', () => {
  it.each([null, undefined, 'text'])('is not an object: %j', (request) => {
    expect(failure(request)).toMatchObject({
      code: 'EVENT_INVALID',
      message: 'unable to publish nil event',
    });
  });

  it.each([
    ['topic', { topic: [] }],
    ['topic', { topic: undefined }],
    ['topic', { topic: '' }],
    ['topic', { topic: ['player', 'player-'] }],
    ['topic', { topic: 'player.dlq' }],
    ['topic', { topic: 'player.billing.retry.1' }],
    ['eventName', { eventName: '' }],
    ['eventName', { eventName: 'log in' }],
    ['eventName', { eventName: 'x'.repeat(257) }],
    ['namespace', { namespace: 'game/1' }],
    ['id', { id: 7 }],
    ['id', { id: null }],
    ['key', { key: 7 }],
    ['timeoutMs', { timeoutMs: -1 }],
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['timestampUnixNano', { timestampUnixNano: 2n ** 63n }],
  ])('names its field: %s in %o', (field, wrong) => {
    expect(failure({ ...login, ...wrong })).toMatchObject({
      code: 'EVENT_INVALID',
      message: "publish struct isn't valid",
      details: { field, reason: expect.any(String) },
    });
  });

  it('has a topic that is too long with the prefix', () => {
    const error = failure({ ...login, topic: 'x'.repeat(246) });
    expect(error).toMatchObject({ code: 'EVENT_INVALID', details: { field: 'topic' } });
    expect(failure({ ...login, topic: "o'neill" })).toMatchObject({ details: { field: 'topic' } });
  });

  it.each([
    ['userId', "userID isn't valid"],
    ['clientId', "clientID isn't valid"],
    ['sessionId', "sessionID isn't valid"],
    ['traceId', "traceID isn't valid"],
  ])('has a wrong %s, when validation is strict', (field, message) => {
    const strict = { strictValidation: true };
    const error = failure({ ...login, [field]: 'u-1' }, strict);
    expect(error).toMatchObject({ code: 'EVENT_INVALID', message, details: { field } });
    const right: PublishRequest = { ...login, [field]: uuid };
    expect(buildEvent(right, { ...options, ...strict }).topics).toEqual(['dev.player']);
    expect(buildEvent({ ...login, [field]: 'u-1' }, options).topics).toEqual(['dev.player']);
  });

  it.each([
    ['version', { version: 1.5 }, 'version is not an integer of 64 bits'],
    ['eventId', { eventId: '1' }, 'event_id is not an integer of 64 bits'],
    ['serviceName', { serviceName: 7 }, 'service is not a string'],
    ['clientIds', { clientIds: ['a', 1] }, 'client_ids is not a list of strings'],
    ['payload', { payload: null }, 'payload is not a JSON object'],
    ['payload', { payload: [1] }, 'payload is not a JSON object'],
    ['payload', { payload: { a: Number.NaN } }, 'payload at "a" holds NaN, which JSON cannot'],
  ])('cannot be written: %s in %o', (field, wrong, reason) => {
    expect(failure({ ...login, ...wrong })).toMatchObject({
      code: 'EVENT_INVALID',
      message: `unable to construct event : login , error : ${reason}`,
      details: { field, reason },
      cause: { code: 'ENVELOPE_INVALID' },
    });
  });
});

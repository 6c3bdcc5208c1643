import { describe, expect, it } from 'vitest';
import { type AuditLogRequest, newAuditLog } from './audit-log.js';
import { type AuditBuildOptions, buildAuditLog, readAuditSettings } from './build-audit-log.js';

const actor = '3671efef876b4133897d79134e936cd9';
const clientId = '1de5a3f2b4c84f60a1b2c3d4e5f60718';

const options: AuditBuildOptions = {
  prefix: 'dev',
  settings: { enabled: true, topic: 'auditLog' },
  now: () => 1_767_323_045_999,
  newId: () => '0a',
};
const ban: AuditLogRequest = {
  category: 'moderation',
  actionName: 'ban',
  actor,
  actorType: 'USER',
  clientId,
  actorNamespace: 'game',
  objectNamespace: 'game',
};

const textOf = (log: Parameters<typeof buildAuditLog>[0]): string =>
  buildAuditLog(log, options).record.value.toString('utf8');

describe('buildAuditLog', () => {
  it('writes the required keys', () => {
    expect(textOf(ban)).toBe(
      `{"_id":"0a","category":"moderation","actionName":"ban","timestamp":1767323045999,"actor":"${actor}","actorType":"USER","clientId":"${clientId}","actorNamespace":"game","objectNamespace":"game","payload":{"content":{},"diff":{}}}`,
    );
  });

  it('writes every key in the order of the Go SDK', () => {
    const full: AuditLogRequest = {
      ...{ ...ban, ip: '127.0.0.1', objectId: 'o1', objectType: '<item>', deviceId: 'd1' },
      ...{ targetUserId: actor, content: { b: 1, a: '&' } },
      diff: { after: { level: 2 }, before: { level: 1 } },
    };
    expect(textOf(full)).toBe(
      `{"_id":"0a","category":"moderation","actionName":"ban","timestamp":1767323045999,"ip":"127.0.0.1","actor":"${actor}","actorType":"USER","clientId":"${clientId}","actorNamespace":"game","objectId":"o1","objectType":"\\u003citem\\u003e","objectNamespace":"game","targetUserId":"${actor}","deviceId":"d1","payload":{"content":{"a":"\\u0026","b":1},"diff":{"before":{"level":1},"after":{"level":2}}}}`,
    );
  });

  it('leaves out empty sides of a diff', () => {
    expect(textOf({ ...ban, diff: { before: {}, after: { x: 1 } } })).toContain(
      '"diff":{"after":{"x":1}}',
    );
  });

  it('goes to the topic with its prefix, and has no key unless one is given', () => {
    expect(buildAuditLog(ban, options)).toMatchObject({
      topic: 'dev.auditLog',
      record: { key: null, headers: {} },
    });
    expect(buildAuditLog({ ...ban, key: '' }, options).record.key).toBeNull();
    expect(buildAuditLog({ ...ban, key: 'k' }, options).record.key?.toString()).toBe('k');
  });

  it('accepts a builder with the same result', () => {
    const onError = (): void => undefined;
    const builder = newAuditLog()
      .category('moderation')
      .actionName('ban')
      .ip('127.0.0.1')
      .actor(actor)
      .isActorTypeUser(true)
      .clientId(clientId)
      .actorNamespace('game')
      .objectId('o1')
      .objectType('item')
      .objectNamespace('game')
      .targetUserId(actor)
      .deviceId('d1')
      .content({ a: 1 })
      .diff({ before: { x: 1 } })
      .key('k')
      .errorCallback(onError);
    const plain: AuditLogRequest = {
      ...{ ...ban, ip: '127.0.0.1', objectId: 'o1', objectType: 'item', targetUserId: actor },
      ...{ deviceId: 'd1', content: { a: 1 }, diff: { before: { x: 1 } }, key: 'k', onError },
    };
    expect(buildAuditLog(builder, options)).toEqual(buildAuditLog(plain, options));
    expect(textOf(builder.isActorTypeUser(false))).toContain('"actorType":"CLIENT"');
    expect(textOf(builder.actorType('ANONYMOUS'))).toContain('"actorType":"ANONYMOUS"');
  });

  it.each([
    ['category', ''],
    ['actionName', undefined],
    ['actor', 'somebody'],
    ['actor', ''],
    ['clientId', '3671efef-876b-4133-897d-79134e936cd9'],
    ['actorType', 'user'],
    ['actorNamespace', 7],
    ['objectNamespace', ''],
    ['targetUserId', 'u1'],
    ['ip', 7],
    ['key', 7],
    ['diff', null],
    ['content', []],
    ['content', { a: Number.NaN }],
  ])('refuses %s when it is %o', (field, value) => {
    const log = { ...ban, [field]: value } as AuditLogRequest;
    expect(() => buildAuditLog(log, options)).toThrow(
      expect.objectContaining({
        code: 'EVENT_INVALID',
        message: "publish struct isn't valid",
        details: { field, reason: expect.any(String) },
      }),
    );
  });

  it('refuses null', () => {
    expect(() => buildAuditLog(null as unknown as AuditLogRequest, options)).toThrow(
      expect.objectContaining({ message: 'unable to publish nil event' }),
    );
  });
});

describe('readAuditSettings', () => {
  it('publishes to auditLog by default', () => {
    expect(readAuditSettings({})).toEqual({ enabled: true, topic: 'auditLog' });
    expect(
      readAuditSettings({
        APP_EVENT_STREAM_AUDIT_LOG_TOPIC: 'audit',
        APP_EVENT_STREAM_AUDIT_LOG_ENABLED: 'F',
      }),
    ).toEqual({ enabled: false, topic: 'audit' });
  });

  it('treats empty variables as unset, and refuses nonsense', () => {
    const enabled = (value: string): boolean =>
      readAuditSettings({ APP_EVENT_STREAM_AUDIT_LOG_ENABLED: value }).enabled;
    expect([enabled(''), enabled('1'), enabled('True'), enabled('0')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(() => enabled('yes')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

import { describe, expect, it } from 'vitest';
import { callbackEventNames } from './callback-event-names.js';
import { platformTopicOf, reservedNameFault, reservedTopicFault } from './platform-events.js';

describe('platform events', () => {
  it.each([
    ...callbackEventNames,
    'endpoint.x',
    'message.status.changed',
    'channel.new',
    'contact.stopped',
    'realtime.published',
    'arc.object.changed',
    'application.created',
    'key.revoked',
    'audit.recorded',
    'posthaste.test',
  ])('have the name %s', (name) => {
    expect(reservedNameFault(name)).toContain(name);
    expect(reservedTopicFault(platformTopicOf(name) ?? '')).toContain('only the platform');
  });

  it.each([
    'order.placed',
    'message',
    'callbacks.failed',
    'my.callback.failed',
    'Callback.failed',
    '',
  ])('do not have the name %j', (name) => {
    expect(reservedNameFault(name)).toBeUndefined();
    expect(platformTopicOf(name)).toBeUndefined();
  });

  it('have topics of their own', () => {
    for (const topic of [
      'callbacks',
      'messages',
      'realtime',
      'arc',
      'audit',
      'posthaste',
      'posthaste.x',
    ]) {
      expect(reservedTopicFault(topic)).toBeDefined();
    }
    for (const topic of ['orders', 'callbacks.shop', 'posthaste-orders']) {
      expect(reservedTopicFault(topic)).toBeUndefined();
    }
  });
});

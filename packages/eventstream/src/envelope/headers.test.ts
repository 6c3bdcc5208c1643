import type { EventEnvelope } from '@posthaste/contracts';
import { fromCloudEvent, toCloudEvent } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { toHeaders } from './headers.js';

const login: EventEnvelope = {
  id: '0a',
  name: 'login',
  namespace: 'game',
  userId: 'u1',
  timestamp: '2026-01-02T03:04:05Z',
  timestampUnixNano: 1_767_323_045_123_456_789n,
  version: 1,
};
const foreign = {
  specversion: '1.0',
  id: '0a',
  source: '//shop.example',
  type: 'login',
  subject: 'u1',
  time: '2026-01-02T03:04:05Z',
};
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('toHeaders', () => {
  it('writes the attributes of a CloudEvent in binary mode', () => {
    expect(toHeaders(login)).toEqual({
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: '0a',
      ce_type: 'login',
      ce_source: '/namespaces/game',
      ce_subject: 'u1',
      ce_time: '2026-01-02T03:04:05.123456789Z',
    });
  });

  it.each<EventEnvelope>([
    login,
    { ...login, namespace: 'a b/é' },
    { ...login, namespace: '' },
    { ...login, timestampUnixNano: 1_767_323_045_000_000_000n },
    { ...login, additional_fields: { a: 1 } },
    { ...login, additional_fields: { source: 'https://shop.example/ü' } },
    fromCloudEvent({ ...foreign, type: '/a b/事件' }),
    fromCloudEvent({ ...foreign, time: '2026-01-02T03:04:05.120+02:00', data: [1] }),
    fromCloudEvent({ ...foreign, source: '/namespaces/a b' }),
    fromCloudEvent({ ...foreign, time: undefined }),
  ])('says what the event in structured mode says: $namespace', (envelope) => {
    const headers = toHeaders(envelope);
    const { specversion, id, source, type, subject, time } = toCloudEvent(envelope);
    for (const [attribute, value] of Object.entries({
      specversion,
      id,
      source,
      type,
      subject,
      time,
    })) {
      expect(headers[`ce_${attribute}`]).toBe(value);
    }
  });

  it('adds the trace if it is valid', () => {
    expect(toHeaders(login, traceparent)).toMatchObject({ traceparent });
    expect(toHeaders(login, 'nonsense')).not.toHaveProperty('traceparent');
  });

  it('leaves out a time that is unreadable, and nanoseconds of another second', () => {
    const at = (timestamp: string): string | undefined =>
      toHeaders({ ...login, timestamp }).ce_time;
    expect(at('yesterday')).toBeUndefined();
    expect(at('')).toBeUndefined();
    expect(at('2026-01-02T03:04:05.5+02:00')).toBe('2026-01-02T03:04:05.5+02:00');
    expect(at('2026-01-02T03:04:06Z')).toBe('2026-01-02T03:04:06Z');
  });

  it('writes only the trace when id or name is missing', () => {
    expect(toHeaders({ ...login, id: '' }, traceparent)).toEqual({ traceparent });
    expect(toHeaders({ ...login, userId: '' })).not.toHaveProperty('ce_subject');
  });
});

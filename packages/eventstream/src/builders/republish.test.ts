import { fromCloudEvent, toCloudEvent } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../envelope/decode.js';
import { buildEvent } from './build-event.js';
import { republish } from './republish.js';

const options = { prefix: '', profile: 'default', strictValidation: false } as const;

describe('republish', () => {
  it('publishes the same bytes again, including keys that this release does not know', () => {
    const text =
      '{"id":"0a","name":"login","namespace":"game","parentNamespace":"p","clientId":"c",' +
      '"traceId":"t","spanContext":"sc","userId":"u","sessionId":"s",' +
      '"timestamp":"2026-01-02T03:04:05Z","timestampUnixNano":1767323045123456789,"version":3,' +
      '"event_id":1,"service":"shop","client_ids":["c1"],"privacy":true,' +
      '"additional_fields":{"x":1},"payload":{"big":9007199254740993},"later":{"z":[1]}}';
    const request = republish(decodeEnvelope(Buffer.from(text)), ['a', 'b']);
    const { topics, value } = buildEvent(request, options);
    expect(topics).toEqual(['a', 'b']);
    expect(value.toString()).toBe(text);
  });

  it('publishes an event of v4.2 of the Go SDK with the same bytes in its profile', () => {
    const text = '{"id":"0a","name":"login","timestamp":"2026-01-02T03:04:05.12345Z","version":1}';
    const request = republish(decodeEnvelope(Buffer.from(text)), 'a');
    const { value } = buildEvent(request, { ...options, profile: 'v4.2' });
    expect(value.toString()).toBe(text);
  });

  it('keeps the time of an event that has it only as text', () => {
    const older = Buffer.from('{"id":"0a","name":"login","timestamp":"2026-01-02T03:04:05Z"}');
    const { envelope } = buildEvent(republish(decodeEnvelope(older), 'a'), options);
    expect(envelope.timestamp).toBe('2026-01-02T03:04:05Z');
    const nano = Buffer.from('{"name":"login","timestamp":"2026-01-02T05:04:05.1234567+02:00"}');
    expect(republish(decodeEnvelope(nano), 'a').timestampUnixNano).toBe(1_767_323_045_123_456_700n);
    const none = republish(decodeEnvelope(Buffer.from('{"name":"login"}')), 'a');
    expect(none.timestampUnixNano).toBeUndefined();
  });

  it('keeps what the envelope cannot hold of a CloudEvent', () => {
    const event = {
      specversion: '1.0',
      id: '1',
      source: '//shop.example',
      type: '/a b/事件',
      time: '2026-01-02T03:04:05.120+02:00',
      datacontenttype: 'application/xml',
      sequence: '5',
      data: '<a/>',
    };
    const { envelope, headers } = buildEvent(republish(fromCloudEvent(event), 'a'), options);
    expect(envelope.name).toBe('a-b');
    expect(toCloudEvent(envelope)).toEqual(event);
    expect(headers).toMatchObject({
      ce_type: event.type,
      ce_source: event.source,
      ce_time: event.time,
    });
  });
});

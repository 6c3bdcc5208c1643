import { describe, expect, it } from 'vitest';
import * as entry from './index.js';
import { errorsOf, normaliseChannel, parseFrame } from './protocol.js';

describe('the protocol', () => {
  it('has the constants of the Go client, by their names', () => {
    const constants = Object.entries(entry).filter(([name]) => name.endsWith('Type'));
    expect(Object.fromEntries(constants)).toEqual({
      ConnectionAckType: 'connection_ack',
      ConnectionErrType: 'connection_error',
      ConnectionInitType: 'connection_init',
      ErrType: 'error',
      KeepAliveType: 'ka',
      PublishErrType: 'publish_error',
      PublishSuccessType: 'publish_success',
      PublishType: 'publish',
      SubscribeErrType: 'subscribe_error',
      SubscribeSuccessType: 'subscribe_success',
      SubscribeType: 'subscribe',
      SubscriptionBroadcastErrorType: 'broadcast_error',
      SubscriptionDataType: 'data',
      UnsubscribeErrType: 'unsubscribe_error',
      UnsubscribeSuccessType: 'unsubscribe_success',
      UnsubscribeType: 'unsubscribe',
    });
  });

  it.each(['{', '[]', 'null', '7', '{}', '{"type":1}', new Uint8Array(), undefined])(
    'takes %j for no frame',
    (data) => {
      expect(parseFrame(data)).toBeUndefined();
    },
  );

  it('takes errors of wrong types for none', () => {
    for (const errors of [undefined, null, 'x', {}, [null, 1, {}, { errorType: 1 }]]) {
      expect(errorsOf({ errors: errors as never })).toEqual([]);
    }
  });

  it('compares channels with and without slashes around them', () => {
    for (const channel of ['default/a', '/default/a', '/default/a/', 'default/a/']) {
      expect(normaliseChannel(channel)).toBe('/default/a');
    }
  });
});

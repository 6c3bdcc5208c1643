import { expect, it } from 'vitest';
import { deliveryOf } from '../../test/deliveries.js';
import { buildRequest } from '../delivery/attempt-request.js';
import { type TraceHeaders, withTrace } from './trace-headers.js';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

it('adds the headers of a trace', () => {
  const headers = { 'x-one': '1' };
  const trace = { traceparent, tracestate: 'vendor=a, other=b' };
  expect(withTrace(headers, trace)).toEqual({ ...headers, ...trace });
  expect(withTrace(undefined, { traceparent })).toEqual({ traceparent });
  expect(withTrace(headers, undefined)).toBe(headers);
});

it.each<[string, TraceHeaders, object | undefined]>([
  ['a trace of zeros', { traceparent: traceparent.replace(/0af\w+/, '0'.repeat(32)) }, undefined],
  ['a parent of zeros', { traceparent: traceparent.replace(/b7a\w+/, '0'.repeat(16)) }, undefined],
  ['the invalid version', { traceparent: traceparent.replace(/^00/, 'ff') }, undefined],
  ['a line break', { traceparent: `${traceparent}\r\nx-injected: 1` }, undefined],
  ['a state with a line break', { traceparent, tracestate: 'a=1\r\nx: 1' }, { traceparent }],
  ['a state that is too long', { traceparent, tracestate: 'a'.repeat(513) }, { traceparent }],
])('leaves out %s', (_, trace, headers) => {
  expect(withTrace(undefined, trace)).toEqual(headers);
});

it('continues the trace in every attempt, else the callback has a trace of its own', async () => {
  const sent = async (headers: Readonly<Record<string, string>> | undefined) => {
    const delivery = deliveryOf({ request: { headers } });
    const signer = { sign: () => undefined };
    const settings = { userAgent: 'Posthaste test', maxResponseBytes: 1 };
    const request = await buildRequest(delivery, {
      endpointHeaders: undefined,
      nowMs: 0,
      signer,
      settings,
    });
    const named = request.headers.filter(([name]) => name === 'traceparent');
    return { id: delivery.callbackId.replaceAll('-', ''), values: named.map(([, value]) => value) };
  };
  const own = await sent({ 'x-one': '1' });
  expect(own.values).toEqual([expect.stringMatching(`^00-${own.id}-[0-9a-f]{16}-01$`)]);
  expect((await sent(withTrace({ 'x-one': '1' }, { traceparent }))).values).toEqual([traceparent]);
});

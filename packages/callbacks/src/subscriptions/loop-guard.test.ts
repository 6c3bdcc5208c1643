import { expect, it } from 'vitest';
import { eventOf } from '../../test/events.js';
import { toLoopRule } from './loop-guard.js';

const aboutCallback = (payload: Record<string, string | number>) =>
  toLoopRule(eventOf('callback.failed', payload, { topic: 'callbacks' }));

it('does not restrict events of other topics, whatever their payload', () => {
  const event = eventOf('callback.failed', { echo: 7, endpointId: 'e' }, { topic: 'orders' });
  expect(toLoopRule(event)).toEqual({ echo: 0, isDelivered: true, excludedEndpointId: undefined });
});

it('counts on for an event that a delivery published', () => {
  const event = { ...eventOf('order.placed', {}, { topic: 'orders' }), hops: 3 };
  expect(toLoopRule(event)).toEqual({ echo: 3, isDelivered: true, excludedEndpointId: undefined });
});

it('sends events about a callback to all endpoints', () => {
  expect(aboutCallback({ endpointId: 'e' })).toEqual({
    echo: 1,
    isDelivered: true,
    excludedEndpointId: undefined,
  });
});

it('excludes the endpoint of a callback of echo 1, and all endpoints at echo 2', () => {
  expect(aboutCallback({ endpointId: 'e', echo: 1 })) //
    .toEqual({ echo: 2, isDelivered: true, excludedEndpointId: 'e' });
  expect(aboutCallback({ endpointId: 'e', echo: 2 })).toMatchObject({ isDelivered: false });
});

it.each(['1', -1, 0.5, 0])('treats an echo of %j as 0', (echo) => {
  expect(aboutCallback({ echo })).toEqual({
    echo: 1,
    isDelivered: true,
    excludedEndpointId: undefined,
  });
});

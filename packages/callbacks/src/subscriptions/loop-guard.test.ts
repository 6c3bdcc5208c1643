import { expect, it } from 'vitest';
import { eventOf } from '../../test/events.js';
import { toLoopRule } from './loop-guard.js';

const aboutCallback = (payload: Record<string, string | number>) =>
  toLoopRule(eventOf('callback.failed', payload, { topic: 'callbacks' }));

it('leaves events of other topics alone, whatever they say', () => {
  const event = eventOf('callback.failed', { echo: 7, endpointId: 'e' }, { topic: 'orders' });
  expect(toLoopRule(event)).toEqual({ echo: 0, isHeard: true, except: undefined });
});

it('lets what is told of a callback be heard by all', () => {
  expect(aboutCallback({ endpointId: 'e' })).toEqual({ echo: 1, isHeard: true, except: undefined });
});

it('keeps what is told of an echo from the endpoint of the echo, and of its echo from all', () => {
  expect(aboutCallback({ endpointId: 'e', echo: 1 })) //
    .toEqual({ echo: 2, isHeard: true, except: 'e' });
  expect(aboutCallback({ endpointId: 'e', echo: 2 })).toMatchObject({ isHeard: false });
});

it.each(['1', -1, 0.5, 0])('takes an echo of %j for none', (echo) => {
  expect(aboutCallback({ echo })).toEqual({ echo: 1, isHeard: true, except: undefined });
});

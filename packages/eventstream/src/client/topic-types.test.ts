import type { EventEnvelope, JsonObject } from '@posthaste/contracts';
import { expect, expectTypeOf, it } from 'vitest';
import { until } from '../../test/until.js';
import type { EventCallback } from '../consume/registration.js';
import { MemoryStream } from '../drivers/memory/memory-stream.js';
import type { Client } from './client.js';
import { createClient } from './create-client.js';
import type { ReceivedEvent } from './event-iterator.js';
import type { TypedCallback } from './topic-types.js';

interface Order {
  readonly total: number;
}

interface Topics {
  orders: { placed: Order; cancelled: { reason: string } };
}

const memory = new MemoryStream({ partitions: 1 });

it('lets a client without topics register any callback, and publish any object', async () => {
  const client = await createClient('shop', 'memory', [], { memory });
  expectTypeOf(client).toEqualTypeOf<Client>();
  const events: (EventEnvelope | null)[] = [];
  const callback: EventCallback = (_ctx, event) => events.push(event);
  const ofObjects: TypedCallback<object> = () => undefined;
  client.register({ topic: 'orders', offset: -2, callback });
  client.register({ topic: 'payments', callback: ofObjects });
  client.register({
    topic: 'refunds',
    callback: (_ctx, event) => {
      expectTypeOf(event).toEqualTypeOf<EventEnvelope | null>();
      expectTypeOf(event?.payload).toEqualTypeOf<JsonObject | undefined>();
    },
  });
  expectTypeOf(client.consume({ topic: 'orders' })).toEqualTypeOf<
    AsyncIterableIterator<ReceivedEvent<JsonObject>>
  >();
  const order: Order = { total: 3 };
  await client.publish({ topic: 'orders', eventName: 'placed', payload: order });
  await until(() => expect(events).toMatchObject([{ payload: { total: 3 } }]));
  await client.close();
});

it('gives callbacks of a client with topics the payload type of their event', async () => {
  const client = await createClient<Topics>('typed', 'memory', [], { memory });
  client.register({
    topic: 'orders',
    eventName: 'placed',
    callback: (_ctx, event) => {
      expectTypeOf(event).toEqualTypeOf<EventEnvelope<Order> | null>();
    },
  });
  client.register({
    topic: 'orders',
    callback: (_ctx, event) => {
      expectTypeOf(event?.payload).toEqualTypeOf<Order | { reason: string } | undefined>();
    },
  });
  const ofOrders: TypedCallback<Order> = () => undefined;
  client.register({ topic: 'orders', eventName: 'placed', groupId: 'mail', callback: ofOrders });
  // @ts-expect-error: a callback for another event
  client.register({ topic: 'orders', eventName: 'cancelled', callback: ofOrders });
  await client.close();
});

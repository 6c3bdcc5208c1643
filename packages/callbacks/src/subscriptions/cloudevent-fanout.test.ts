import { fromCloudEvent, parseJsonWithDigits } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { useFanout } from '../../test/event-fanout.js';
import { eventOf } from '../../test/events.js';
import { claim } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { type SubscribedEvent, toEventBody } from '../events/subscribed-event.js';

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useEmptiedStore(engine);
  const fan = useFanout(store);
  const { endpoint, deliver } = fan;

  it('writes each event in the form that its endpoint asks for at that moment', async () => {
    const formats = ['envelope', 'cloudevents-structured', 'cloudevents-binary'] as const;
    const ids: string[] = [];
    for (const [index, eventFormat] of formats.entries()) {
      ids.push(await endpoint(`e${index}`, { eventFormat }));
      await fan.subscriptions.create({ endpointId: ids.at(-1) ?? '', eventName: '**' }, 'all');
    }
    const types = async (): Promise<(string | undefined)[]> => {
      await deliver(eventOf('order.created', { n: 1 }));
      const found = (await claim(store.db)).map(({ endpointId, request: { headers } }) => {
        const form = headers?.['ce-type'] ?? headers?.['content-type'];
        return [ids.indexOf(endpointId ?? ''), form] as const;
      });
      return found.sort(([a], [b]) => a - b).map(([, form]) => form);
    };
    const structured = 'application/cloudevents+json; charset=utf-8';
    expect(await types()).toEqual(['application/json', structured, 'order.created']);
    await fan.endpoints.update(
      ids[0] ?? '',
      { eventFormat: 'cloudevents-binary' },
      { within: 'all' },
    );
    await fan.endpoints.update(ids[2] ?? '', { eventFormat: null }, { within: 'all' });
    expect(await types()).toEqual(['order.created', structured, 'application/json']);
  });

  it('sends an event that can be no CloudEvent as envelope, and goes on', async () => {
    const a = await endpoint('a', { eventFormat: 'cloudevents-binary' });
    const b = await endpoint('b', { eventFormat: 'cloudevents-structured' });
    for (const endpointId of [a, b])
      await fan.subscriptions.create({ endpointId, eventName: '**' }, 'all');
    const valid = eventOf('order.created', { n: 4 });
    const broken = [{ id: '' }, { name: '' }, { namespace: '\ud800' }].map((wrong, n) => {
      const event = eventOf('order.created', { n });
      return { ...event, envelope: { ...event.envelope, ...wrong } };
    });
    expect(await deliver(...broken, valid)).toBe(8);
    const deliveries = await claim(store.db);
    const envelopes = deliveries.filter(
      ({ request: { headers } }) =>
        headers?.['content-type'] === 'application/json' && !headers['ce-id'],
    );
    const bodies = envelopes.map(({ request: { body } }) => body?.toString());
    const expected = broken.map(({ envelope }) => toEventBody(envelope).toString());
    expect(bodies.sort()).toEqual([...expected, ...expected].sort());
  });

  it('matches the type and the data that an event had as a CloudEvent', async () => {
    const [a, b, c, d] = [
      await endpoint('a'),
      await endpoint('b', { order: '/1/id' }),
      await endpoint('c'),
      await endpoint('d'),
    ];
    await fan.subscriptions.create({ endpointId: a, eventName: '/a b/事件' }, 'all');
    await fan.subscriptions.create(
      {
        endpointId: b,
        eventName: '/a b/x.*',
        filter: { minItems: 2 },
      },
      'all',
    );
    const number = { const: 18446744073709551615n };
    await fan.subscriptions.create({ endpointId: c, eventName: '**', filter: number }, 'all');
    // The derived name is no longer the name of the event.
    await fan.subscriptions.create({ endpointId: d, eventName: 'a-b' }, 'all');
    const cloudEvent = (type: string, data: string): SubscribedEvent => {
      const text = `{"specversion":"1.0","id":"1","source":"/s","type":"${type}","data":${data}}`;
      return {
        topic: 'orders',
        application: '',
        envelope: fromCloudEvent(parseJsonWithDigits(text)),
        key: undefined,
      };
    };
    expect(await deliver(cloudEvent('/a b/事件', '"text"'))).toBe(1);
    expect(await deliver(cloudEvent('/a b/x.1', '[1,{"id":9007199254740993}]'))).toBe(1);
    expect(await deliver(cloudEvent('/a b/x.1', '[1]'))).toBe(0);
    expect(await deliver(cloudEvent('count', '18446744073709551615'))).toBe(1);
    expect(await deliver(cloudEvent('count', '18446744073709551616'))).toBe(0);
    const found = (await claim(store.db)).map(({ endpointId, queue }) => [endpointId, queue]);
    expect(found.sort()).toEqual(
      [
        [a, undefined],
        [b, `endpoint:${b}:9007199254740993`],
        [c, undefined],
      ].sort(),
    );
    const index = await fan.fanout.currentSelector(store.db);
    expect(index !== 'none' && index('orders', '/a b/x.1')).toBe(true);
  });

  it('sends the test event in the form of the endpoint', async () => {
    const a = await endpoint('a', { eventFormat: 'cloudevents-binary' });
    await fan.fanout.testEvent(a, { within: 'all' });
    expect((await claim(store.db))[0]?.request).toMatchObject({
      headers: { 'ce-type': 'posthaste.test', 'ce-source': '/namespaces/posthaste' },
      body: Buffer.from(`{"endpointId":"${a}","message":"This is a test event."}`),
    });
  });
}

describeWithPostgres('the fan-out of CloudEvents', () => suite('postgres'));
describe('the fan-out of CloudEvents in the embedded database', () => suite('embedded'));

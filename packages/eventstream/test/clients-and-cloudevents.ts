import { type EventEnvelope, eventDataOf, eventTypeOf, toCloudEvent } from '@posthaste/contracts';
import { type CloudEvent, Kafka as KafkaBinding } from 'cloudevents';
import { Kafka, logLevel } from 'kafkajs';
import { expect, it } from 'vitest';
import { republish } from '../src/builders/republish.js';
import { onWire, type StartClientFixture } from './client-fixture.js';
import { cloudEvent, dataOfEveryKind, modes, toMessage } from './cloudevent-records.js';

const fromStart = { offset: -2 } as const;

/** Registers the tests of CloudEvents between kafkajs with the SDK and these clients. */
export function testCloudEventsOfClients(start: StartClientFixture, brokers: () => string[]): void {
  it('typed subscribers get the CloudEvents that kafkajs writes, in both modes', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const events = dataOfEveryKind.flatMap(([datacontenttype, data], index) =>
      modes.map((mode) => ({
        mode,
        event: cloudEvent({ id: `${index} ${mode}`, datacontenttype, data }),
      })),
    );
    const producer = new Kafka({ brokers: brokers(), logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const messages = events.map(({ event, mode }) => ({ ...toMessage(event, mode), partition: 0 }));
    await producer.send({ topic: onWire(topic), messages });
    const client = await open();
    const got: EventEnvelope[] = [];
    client.register({
      topic,
      eventName: 'com.example.placed',
      groupId: topic,
      ...fromStart,
      callback: (_ctx, event) => event && got.push(event),
    });
    await until(() => expect(got).toHaveLength(events.length));
    const expected = events.map(({ event }) => JSON.parse(event.toString()));
    expect(got.map(toCloudEvent)).toEqual(expected);
    expect(got.map(eventTypeOf)).toEqual(expected.map(({ type }) => type));
    expect(got.map(eventDataOf)).toEqual(
      expected.map(({ data, data_base64: bytes }) => data ?? bytes),
    );
    // Published again, they are still the same events.
    const again = await newTopic();
    for (const event of got) await client.publish(republish(event, again));
    const repeated: EventEnvelope[] = [];
    client.register({
      topic: again,
      eventName: 'com.example.placed',
      groupId: again,
      ...fromStart,
      callback: (_ctx, event) => event && repeated.push(event),
    });
    await until(() => expect(repeated).toHaveLength(got.length));
    expect(repeated.map(toCloudEvent)).toEqual(expect.arrayContaining(expected));
  });

  it('the CloudEvents SDK reads what these clients publish', async ({ onTestFinished }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const client = await open();
    const published = await client.publish({
      topic,
      eventName: 'placed',
      namespace: 'shop',
      userId: 'u1',
      key: 'order-7',
      payload: { total: 3 },
    });
    const kafka = new Kafka({ brokers: brokers(), logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: `sdk-${topic}` });
    await consumer.connect();
    onTestFinished(() => consumer.disconnect());
    await consumer.subscribe({ topic: onWire(topic), fromBeginning: true });
    const read: CloudEvent<unknown>[] = [];
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers = {} } }) => {
        const texts = Object.entries(headers).map(([name, text]) => [name, `${text}`]);
        const message = { key, value, body: value, headers: Object.fromEntries(texts) };
        read.push(KafkaBinding.toEvent(message as never) as CloudEvent<unknown>);
      },
    });
    await until(() => expect(read).toHaveLength(1));
    const { id, source, type, subject } = toCloudEvent(published);
    expect(read[0]).toMatchObject({ id, source, type, subject, partitionkey: expect.anything() });
    expect(read[0]?.data).toMatchObject({ id, name: 'placed', payload: { total: 3 } });
  });
}

import { setTimeout as sleep } from 'node:timers/promises';
import { createAcceptance, Intake } from '@posthaste/callbacks';
import {
  createEnvelope,
  fromCloudEvent,
  type JsonObject,
  parseJsonWithDigits,
} from '@posthaste/contracts';
import { decodeEnvelope, encodeEnvelope } from '@posthaste/eventstream';
import { toEventToPublish } from '@posthaste/eventstream/event-log';
import { freePort, type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, test, vi } from 'vitest';
import { EventPlatform } from './event-platform.js';

const waitOptions = { timeout: 30_000, interval: 50 };
/** Time limit of an attempt, in ms: on a busy machine a second passes, and the attempt is repeated. */
const attemptMs = 15_000;
const rules = { defaultTimeoutMs: attemptMs, maxTimeoutMs: 20_000, urlFault: () => undefined };
/** Longer than the worker takes to notice new events. */
const aWhileMs = 2_500;

interface Received {
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

type Receive = typeof startReceiver;

/** `it`, whose tests get a platform and receivers of their own. All are closed after the test. */
const it = test
  .extend('platform', async ({ onTestFinished }): Promise<EventPlatform> => {
    const platform = await EventPlatform.open(attemptMs);
    onTestFinished(() => platform.close());
    return platform;
  })
  .extend(
    'receive',
    ({ onTestFinished }): Receive =>
      async (...script) => {
        const receiver = await startReceiver(...script);
        onTestFinished(() => receiver.close());
        return receiver;
      },
  );

function eventsOf({ requests }: Receiver): Received[] {
  return requests.map(({ body }) => JSON.parse(body.toString()) as Received);
}

function namesOf(receiver: Receiver): string[] {
  return eventsOf(receiver).map(({ name }) => name);
}

/** Sends a callback that no subscription made; returns its id. */
async function sendCallback({ db }: EventPlatform, url: string): Promise<string> {
  const intake = new Intake(db);
  const { accept } = createAcceptance({ intake, rules, secretExists: async () => false });
  const { id } = await accept({ url, application: 'shop' });
  await intake.close();
  return id;
}

/** Returns the names of all events in the log, oldest first. */
async function eventNames({ db }: EventPlatform): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    'select name from eventstream.record order by appended_at, "offset"',
  );
  return rows.map(({ name }) => name);
}

/** They run at the same time, since most of it is waiting. */
describeWithPostgres.concurrent('the event log in a worker', { timeout: 60_000 }, () => {
  it('sends every digit of the numbers of an event', async ({ platform, receive }) => {
    const receiver = await receive(200);
    await platform.subscribe({ name: 'a', url: receiver.url }, '**');
    await platform.startWorker();
    const numbers = '[1.50,18446744073709551615,-0,1E5]';
    const payload = { numbers: parseJsonWithDigits(numbers) } as JsonObject;
    await platform.publish({ key: 'k', payload });
    await vi.waitFor(() => expect(receiver.count).toBe(1), waitOptions);
    expect(receiver.requests[0]?.body.toString()).toContain(`"payload":{"numbers":${numbers}}`);
  });

  it('delivers a CloudEvent as it was published, byte for byte', async ({ platform, receive }) => {
    const [binary, structured] = [await receive(200), await receive(200)];
    for (const [name, { url }, eventFormat] of [
      ['binary', binary, 'cloudevents-binary'],
      ['structured', structured, 'cloudevents-structured'],
    ] as const) {
      await platform.subscribe({ name, url, eventFormat }, '/a b/事件');
    }
    await platform.startWorker();
    const data = Buffer.from([0, 255, 10, 254]);
    const attributes = { specversion: '1.0', id: '1', source: 'urn:a b', type: '/a b/事件' };
    const event = {
      ...attributes,
      datacontenttype: 'image/png',
      data_base64: data.toString('base64'),
    };
    const envelope = fromCloudEvent(event);
    await platform.db.transaction((tx) =>
      platform.log.appendEvents(tx, [{ topic: 'orders', key: 'k', envelope }]),
    );
    const [request] = await binary.waitFor(1);
    expect(request?.body).toEqual(data);
    expect(request?.headers).toMatchObject({
      'content-type': 'image/png',
      'ce-source': 'urn:a%20b',
      'ce-type': '/a%20b/%E4%BA%8B%E4%BB%B6',
    });
    const [other] = await structured.waitFor(1);
    expect(JSON.parse(String(other?.body))).toEqual(event);
  });

  it('brings an event to the endpoints of its application, else to those of its topic or the default', async ({
    platform,
    receive,
  }) => {
    const applications = ['shop', 'game', 'main', ''] as const;
    const receivers = await Promise.all(applications.map(() => receive(200)));
    for (const [index, application] of applications.entries()) {
      const url = receivers[index]?.url ?? '';
      await platform.subscribe({ name: `e${index}`, url, application }, '**');
    }
    await platform.startWorker({
      POSTHASTE_DEFAULT_APPLICATION: 'main',
      POSTHASTE_TOPIC_APPLICATIONS: 'scores.*=game, stock=shop',
    });
    await platform.publish(
      { key: 'k', name: 'own.shop', application: 'shop' },
      { key: 'k', name: 'own.game', application: 'game', topic: 'stock' },
      { key: 'k', name: 'own.empty', application: '' },
      { key: 'k', name: 'of.topic', topic: 'scores.today' },
      { key: 'k', name: 'of.nobody' },
    );
    await vi.waitFor(() => {
      expect(receivers.map((each) => namesOf(each).toSorted())).toEqual([
        ['own.shop'],
        ['of.topic', 'own.game'],
        ['of.nobody'],
        ['own.empty'],
      ]);
    }, waitOptions);
    const { rows } = await platform.db.query<{ count: bigint }>(
      'select count(*) from callbacks.request',
    );
    expect(rows).toEqual([{ count: 5n }]);
  });

  it('counts the deliveries on that led to an event', async ({ platform, receive }) => {
    const receiver = await receive(200);
    await platform.subscribe({ name: 'a', url: receiver.url }, '**');
    await platform.startWorker();
    const event = toEventToPublish(createEnvelope({ name: 'order.placed', namespace: 'shop' }), {
      topic: 'orders',
      application: '',
      headers: { 'posthaste-hops': '3' },
    });
    await platform.db.transaction((tx) => platform.log.append(tx, [event]));
    await platform.publish({ key: 'k' });
    await vi.waitFor(() => expect(receiver.count).toBe(2), waitOptions);
    const hops = receiver.requests.map(({ headers }) => headers['posthaste-hops']);
    expect(hops.sort()).toEqual(['1', '4']);
  });

  it('creates one callback of an event for each endpoint, however many workers run', async ({
    platform,
    receive,
  }) => {
    const [a, b] = [await receive(200), await receive(200)];
    await platform.subscribe({ name: 'a', url: a.url, order: 'key' }, 'order.placed', 'order.*');
    await platform.subscribe({ name: 'b', url: b.url, order: 'key' }, '**');
    await Promise.all([platform.startWorker(), platform.startWorker()]);
    const numbers = Array.from({ length: 60 }, (_, n) => n);
    for (const n of numbers) {
      await platform.publish({ key: `key ${n % 3}`, payload: { n, key: n % 3 } });
    }
    await platform.publish({ name: 'payment.made', topic: 'payments', key: 'k' });
    await vi.waitFor(() => expect([a.count, b.count]).toEqual([60, 61]), waitOptions);
    for (const key of [0, 1, 2]) {
      const own = eventsOf(a).filter(({ payload }) => payload.key === key);
      expect(own.map(({ payload }) => payload.n)).toEqual(numbers.filter((n) => n % 3 === key));
    }
    await sleep(500);
    expect([a.count, b.count]).toEqual([60, 61]);
  });

  it('continues the trace of an event in its callback and in the events about that callback', async ({
    platform,
    receive,
  }) => {
    const a = await receive(200);
    await platform.subscribe({ name: 'a', url: a.url }, 'order.placed');
    await platform.startWorker({ POSTHASTE_CALLBACK_EVENTS: 'all' });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await platform.publish({ key: 'k', traceparent });
    await a.waitFor(1);
    expect(a.requests[0]?.headers).toMatchObject({ traceparent });
    await vi.waitFor(async () => expect(await eventNames(platform)).toHaveLength(4), waitOptions);
    const { records } = await platform.log.listEvents({ within: 'all', topics: ['callbacks'] });
    expect(records.map(({ headers }) => [headers.ce_type, headers.traceparent])).toEqual([
      ['callback.accepted', traceparent],
      ['callback.attempted', traceparent],
      ['callback.delivered', traceparent],
    ]);
    for (const { value } of records) {
      const event = decodeEnvelope(value ?? Buffer.alloc(0));
      expect(event.spanContext).toBe('0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1');
      // The statement that records a delivery writes its events as clients of the stream do.
      expect(String(value)).toBe(String(encodeEnvelope(event, 'default')));
    }
  });

  it('delivers CloudEvents that consumers of the log have written in their own form', async ({
    platform,
    receive,
  }) => {
    const a = await receive(200);
    await platform.subscribe({ name: 'a', url: a.url, order: 'key' }, 'com.example.placed');
    const headers = {
      ce_specversion: '1.0',
      ce_id: '1',
      ce_type: 'com.example.placed',
      ce_source: '//shop',
    };
    const structured = {
      specversion: '1.0',
      id: '2',
      type: 'com.example.placed',
      source: '//shop',
      data: { total: 2 },
    };
    const record = { topic: 'orders', key: Buffer.from('k') };
    const value = Buffer.from(JSON.stringify(structured));
    await platform.db.transaction((tx) =>
      platform.log.append(tx, [
        {
          ...record,
          value: Buffer.from('{"name":"alice"}'),
          headers: { ...headers, 'content-type': 'application/json' },
        },
        { ...record, value, headers: { 'content-type': 'application/cloudevents+json' } },
      ]),
    );
    await platform.startWorker();
    await a.waitFor(2);
    expect(eventsOf(a)).toMatchObject([
      { id: '1', name: 'com.example.placed', payload: { name: 'alice' } },
      { id: '2', name: 'com.example.placed', payload: { total: 2 } },
    ]);
  });

  it('skips records that are not events', async ({ platform, receive }) => {
    const a = await receive(200);
    await platform.subscribe({ name: 'a', url: a.url }, 'order.placed');
    const record = { topic: 'orders', key: null, headers: { ce_type: 'order.placed' } };
    await platform.db.transaction((tx) =>
      platform.log.append(tx, [
        { ...record, value: Buffer.from('not an event') },
        { ...record, value: null },
      ]),
    );
    await platform.publish({ key: 'k' });
    const worker = await platform.startWorker();
    await a.waitFor(1);
    expect(worker.output).toContain('a record of the log is not an event');
  });

  it('always writes events about failures, and about deliveries while a subscription asks for them', async ({
    platform,
    receive,
  }) => {
    const [good, bad, listener] = [await receive(200), await receive(500), await receive(200)];
    await platform.startWorker();
    /** Sends a callback, and returns the events that were written with its delivery. */
    const deliver = async (): Promise<string[]> => {
      const before = (await eventNames(platform)).length;
      const id = await sendCallback(platform, good.url);
      await vi.waitFor(async () => {
        const query = `select from callbacks.history where callback_id = $1 and ending = 'delivered'`;
        expect((await platform.db.query(query, [id])).rowCount).toBe(1);
      }, waitOptions);
      return (await eventNames(platform)).slice(before);
    };
    expect(await deliver()).toEqual([]);
    await sendCallback(platform, bad.url);
    await vi.waitFor(
      async () => expect(await eventNames(platform)).toEqual(['callback.failed']),
      waitOptions,
    );
    const endpointId = await platform.subscribe(
      { name: 'listener', url: listener.url, application: 'shop' },
      'callback.delivered',
    );
    // The worker notices the subscription, and later its end, within a while.
    await vi.waitFor(
      async () => expect(await deliver()).toEqual(['callback.delivered']),
      waitOptions,
    );
    await listener.waitFor(1, waitOptions.timeout);
    expect(new Set(namesOf(listener))).toEqual(new Set(['callback.delivered']));
    await platform.db.query('delete from callbacks.endpoint where id = $1', [endpointId]);
    await vi.waitFor(async () => expect(await deliver()).toEqual([]), waitOptions);
  });

  it('writes all events about callbacks when configured so, in the order in which they happened', async ({
    platform,
    receive,
  }) => {
    const receiver = await receive([500, 200]);
    await platform.startWorker({ POSTHASTE_CALLBACK_EVENTS: 'all' });
    const id = await sendCallback(platform, receiver.url);
    await vi.waitFor(async () => expect(await eventNames(platform)).toHaveLength(2), waitOptions);
    const { records } = await platform.log.listEvents({ within: 'all', topics: ['callbacks'] });
    expect(records.map(({ key, headers }) => [key?.toString(), headers.ce_type])).toEqual([
      [id, 'callback.attempted'],
      [id, 'callback.failed'],
    ]);
  });

  it('makes no loop of subscriptions to events about callbacks', async ({ platform, receive }) => {
    const [a, b] = [await receive(500), await receive(500)];
    const expectedCount = 1 + 2 + 2 + (2 + 6);
    const policy = { phases: [] };
    await platform.subscribe({ name: 'a', url: a.url, policy }, 'callback.**', 'endpoint.*', '**');
    await platform.subscribe({ name: 'b', url: b.url, policy }, 'callback.*');
    await platform.startWorker();
    // Both endpoints fail; the event about each failure goes to the other endpoint, which fails too.
    await platform.publish({ key: 'k' });
    await vi.waitFor(() => expect(a.count + b.count).toBe(expectedCount), waitOptions);
    await sleep(aWhileMs);
    expect(a.count + b.count).toBe(expectedCount);
    const counts = Map.groupBy([...namesOf(a), ...namesOf(b)], (name) => name);
    // Events about the first callback go to a and b; events about their failures to the other one.
    expect(counts.get('order.placed')).toHaveLength(1);
    expect(counts.get('callback.accepted')).toHaveLength(2);
    expect(counts.get('callback.attempted')).toHaveLength(2);
    expect(counts.get('callback.failed')).toHaveLength(2 + 6);
    expect(counts.size).toBe(4);
  });

  it('reports the lag of subscriptions, and that Kafka does not accept the log', async ({
    platform,
  }) => {
    const brokers = `127.0.0.1:${await freePort()}`;
    const env = { POSTHASTE_WORKER_PORT: '0', KAFKA_BROKERS: brokers };
    const worker = await platform.startWorker(env);
    const [, url = ''] = await worker.waitForLine(/"monitor":"([^"]+)"/);
    await platform.publish({ key: 'k' }, { key: 'l' });
    const metrics = async (): Promise<string> => (await fetch(`${url}/metrics`)).text();
    await vi.waitFor(async () => {
      const text = await metrics();
      expect(text).toContain(
        'posthaste_log_lag_events{topic="orders",group="posthaste.subscriptions"} 0',
      );
      expect(text).toContain('posthaste_log_lag_events{topic="orders",group="posthaste.relay"} 2');
      expect(text).toMatch(/posthaste_relay_failures_total\{code="STREAM_UNAVAILABLE"\} [1-9]/);
    }, waitOptions);
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      {
        status: 'not_ready',
        checks: [
          { name: 'database', ready: true },
          { name: 'migrations', ready: true },
          { name: 'secret_key', ready: true },
          { name: 'kafka', ready: false, code: 'STREAM_UNAVAILABLE' },
        ],
      },
    ]);
    expect(worker.output.match(/the relay cannot publish to Kafka/g)).toHaveLength(1);
    const exit = await worker.terminate(15_000);
    expect(exit).toEqual({ code: 0, signal: null });
  });
});

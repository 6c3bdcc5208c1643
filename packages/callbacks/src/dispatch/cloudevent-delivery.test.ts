import { randomBytes } from 'node:crypto';
import { newId } from '@posthaste/contracts';
import { type ReceivedRequest, type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  asRead,
  base64,
  type CloudEventJson,
  decoded,
  envelopeOf,
  foreign,
  kinds,
  plain,
  read,
  text,
  unreadKinds,
} from '../../test/cloudevents.js';
import { startDispatcher, type TestDispatcher, untilState } from '../../test/delivering.js';
import { useSharedStore } from '../../test/test-store.js';
import { replayCallback } from '../actions/callback-actions.js';
import type { EndpointInput } from '../endpoints/endpoint-input.js';
import { Endpoints } from '../endpoints/endpoints.js';
import { toEventBody } from '../events/subscribed-event.js';
import { createDeliverySigner } from '../secrets/delivery-signer.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { EventFanout } from '../subscriptions/event-fanout.js';
import { Subscriptions } from '../subscriptions/subscriptions.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 15_000, urlFault: () => undefined };
const structuredType = 'application/cloudevents+json; charset=utf-8';
const json = 'application/json';

describeWithPostgres('events that are delivered as CloudEvents', () => {
  const store = useSharedStore();
  let receiver: Receiver;
  let endpoints: Endpoints;
  let worker: TestDispatcher;
  let fanout: EventFanout;

  beforeAll(async () => {
    receiver = await startReceiver(204);
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)), { cacheTtlMs: 50 });
    endpoints = new Endpoints({ db: store.db, secrets, rules });
    fanout = new EventFanout({ db: store.db });
    worker = await startDispatcher(store.db, {}, { signer: createDeliverySigner(secrets) });
  });
  afterEach(async () => {
    receiver.follow(204);
    receiver.clear();
    await store.db.query('delete from callbacks.endpoint');
  });
  afterAll(async () => {
    await worker.close(500);
    expect(worker.seen.errors).toEqual([]);
    await receiver.close();
  });

  const subscribed = async (settings: Partial<EndpointInput>) => {
    const made = await endpoints.create({
      application: '',
      name: newId(),
      url: receiver.url,
      ...settings,
    });
    await new Subscriptions(store.db).create(
      { endpointId: made.endpoint.id, eventName: '**' },
      'all',
    );
    return { id: made.endpoint.id, secret: made.secret.secret };
  };
  const publish = (event: CloudEventJson | string): Promise<number> =>
    fanout.deliverEvents(store.db, [
      { topic: 'orders', application: '', envelope: envelopeOf(event), key: undefined },
    ]);
  /** Publishes an event and returns the request that was made for it. */
  const delivered = async (event: CloudEventJson | string): Promise<ReceivedRequest> => {
    const before = receiver.count;
    expect(await publish(event)).toBe(1);
    const requests = await receiver.waitFor(before + 1);
    return requests[before] as ReceivedRequest;
  };
  const ceHeaders = ({ headers }: ReceivedRequest): string[] =>
    Object.keys(headers).filter((name) => name.startsWith('ce-'));

  it('are read by the package cloudevents in structured mode, as they were published', async () => {
    await subscribed({ eventFormat: 'cloudevents-structured' });
    for (const [name, data] of [...kinds, ...unreadKinds]) {
      const event = { ...foreign, ...data };
      const request = await delivered(event);
      expect(request.headers['content-type'], name).toBe(structuredType);
      expect(ceHeaders(request), name).toEqual([]);
      expect(JSON.parse(request.body.toString()), name).toEqual(event);
      if (unreadKinds.some(([unread]) => unread === name)) continue;
      expect(read(request).toJSON(), name).toEqual(asRead(event));
    }
  });

  it('are read by the package cloudevents in binary mode, byte for byte', async () => {
    await subscribed({ eventFormat: 'cloudevents-binary' });
    for (const [name, data, body] of [...kinds, ...unreadKinds]) {
      const event = { ...foreign, ...data };
      const {
        datacontenttype,
        data: _,
        data_base64,
        ...attributes
      } = event as Record<string, string>;
      const request = await delivered(event);
      expect(request.body, name).toEqual(Buffer.from(body));
      expect(request.headers['content-type'], name).toBe(datacontenttype);
      const names = Object.keys(attributes).map((attribute) => `ce-${attribute}`);
      expect(ceHeaders(request).sort(), name).toEqual(names.sort());
      expect(request.headers['ce-time'], name).toBe(foreign.time);
      if (unreadKinds.some(([unread]) => unread === name)) continue;
      const isJson = datacontenttype === json;
      const given = data_base64 === undefined && body !== '' && !isJson ? { data: body } : {};
      const event2 = decoded(read(request, data_base64 !== undefined));
      expect(event2, name).toEqual(asRead({ ...event, ...given }));
    }
  });

  it('have percent-encoded headers in binary mode', async () => {
    await subscribed({ eventFormat: 'cloudevents-binary' });
    const { headers } = await delivered({ ...foreign, ...plain, subject: 'a "ü" 5%\u{1F600}' });
    expect(headers['ce-subject']).toBe('a%20%22%C3%BC%22%205%25%F0%9F%98%80');
    expect(headers['ce-comexampleextension']).toBe('with%20%20spaces%20');
    expect(headers['ce-type']).toBe('order.placed');
  });

  it('keep every digit of their numbers', async () => {
    await subscribed({ eventFormat: 'cloudevents-binary' });
    await subscribed({ eventFormat: 'cloudevents-structured' });
    const data = '{"n":[1.50,18446744073709551615,-0,1E5]}';
    const event = `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"${json}","data":${data}}`;
    expect(await publish(event)).toBe(2);
    const bodies = (await receiver.waitFor(2)).map(({ body }) => body.toString());
    expect(bodies.sort()).toEqual([data, expect.stringContaining(`"data":${data}}`)]);
  });

  it.each<[string, CloudEventJson]>([
    ['attributes of more than 8 KiB', { data: {}, long: 'x'.repeat(8_200) }],
    ['attributes of more than 8 KiB when they are encoded', { data: {}, long: 'ü'.repeat(1_400) }],
    [
      'more than 64 attributes',
      Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`attribute${n}`, 'x'])),
    ],
    ['an empty text', { datacontenttype: 'text/plain', data: '' }],
    ['JSON of a type that is not JSON', { datacontenttype: 'text/plain', data: { a: 1 } }],
    ['bytes of a JSON type', { datacontenttype: 'application/json', data_base64: base64 }],
    ['no bytes', { datacontenttype: 'image/png', data_base64: '' }],
    [
      'a content type of CloudEvents',
      { datacontenttype: 'application/cloudevents+json', data: {} },
    ],
    ['a content type that is no header', { datacontenttype: 'text/größe', data: 'x' }],
    ['text in a charset of its own', { datacontenttype: 'text/plain; charset=latin1', data: 'ü' }],
  ])('come in structured mode with %s', async (_name, more) => {
    await subscribed({ eventFormat: 'cloudevents-binary' });
    const event = { ...plain, ...more };
    const request = await delivered(event);
    expect(request.headers['content-type']).toBe(structuredType);
    expect(ceHeaders(request)).toEqual([]);
    expect(JSON.parse(request.body.toString())).toEqual(event);
  });

  it('come in binary mode up to 8 KiB of attributes, and with data of any length', async () => {
    await subscribed({ eventFormat: 'cloudevents-binary' });
    const long = 'x'.repeat(7_900);
    const large = randomBytes(200_000);
    const data = { datacontenttype: 'image/png', data_base64: large.toString('base64') };
    const request = await delivered({ ...plain, long, ...data });
    expect(request.headers['ce-long']).toBe(long);
    expect(request.body.equals(large)).toBe(true);
  });

  it('have none of the headers of the endpoint that would change them', async () => {
    const headers = {
      'CE-Type': 'other',
      'ce-subject': 'other',
      'ce-more': 'other',
      'content-type': 'text/plain',
      'x-token': 't',
    };
    const { id } = await subscribed({ eventFormat: 'cloudevents-binary', headers });
    for (const [data, type] of [
      [{ datacontenttype: json, data: {} }, json],
      [{ data_base64: base64 }, undefined],
      [{}, undefined],
    ] as const) {
      const request = await delivered({ ...plain, ...data });
      expect(ceHeaders(request).sort()).toEqual([
        'ce-id',
        'ce-source',
        'ce-specversion',
        'ce-type',
      ]);
      expect(request.headers).toMatchObject({ 'ce-type': 'order.placed', 'x-token': 't' });
      expect(request.headers['content-type']).toBe(type);
    }
    await endpoints.update(id, { eventFormat: 'cloudevents-structured' }, { within: 'all' });
    expect((await delivered(plain)).headers['content-type']).toBe(structuredType);
  });

  it('are signed, and have the id of the delivery besides their own', async () => {
    const data = { datacontenttype: json, data: { n: 1 } };
    for (const eventFormat of ['cloudevents-structured', 'cloudevents-binary'] as const) {
      receiver.clear();
      await store.db.query('delete from callbacks.endpoint');
      const { secret } = await subscribed({ eventFormat });
      const request = await delivered({ ...plain, ...data });
      const headers = request.headers as Record<string, string>;
      expect(new Webhook(secret).verify(request.body, headers)).toBeDefined();
      expect(headers['webhook-id']).not.toBe('1');
      expect(read(request).id).toBe('1');
    }
  });

  it('keep their form in retries and replays, when the endpoint has got another', async () => {
    receiver.follow([500, 204]);
    const { id } = await subscribed({
      eventFormat: 'cloudevents-binary',
      policy: { phases: [{ retries: 1, delayMs: 300 }] },
    });
    const event = { ...foreign, datacontenttype: 'text/plain', data: text };
    const first = await delivered(event);
    await endpoints.update(id, { eventFormat: 'envelope' }, { within: 'all' });
    const callback = String(first.headers['webhook-id']);
    await untilState(store.db, callback, 'delivered');
    await replayCallback(store.db, callback, 'all');
    const requests = await receiver.waitFor(3);
    const stable = requests.map(({ headers, body }) => {
      const names = Object.keys(headers).filter((name) =>
        /^(?:ce-|content-|webhook-id)/.test(name),
      );
      return [names.map((name) => [name, headers[name]]), body.toString()];
    });
    expect(stable[1]).toEqual(stable[0]);
    expect(stable[2]).toEqual(stable[0]);
    await untilState(store.db, callback, 'delivered');
    const envelope = await delivered(event);
    expect(envelope.headers['content-type']).toBe('application/json');
    expect(envelope.body).toEqual(toEventBody(envelopeOf(event)));
  });

  it('are the envelope, byte for byte, for endpoints that do not ask for them', async () => {
    await subscribed({});
    for (const [, data] of [...kinds, ...unreadKinds]) {
      const event = { ...foreign, ...data };
      const request = await delivered(event);
      expect(request.headers['content-type']).toBe(json);
      expect(ceHeaders(request)).toEqual([]);
      expect(request.body).toEqual(toEventBody(envelopeOf(event)));
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { Frame, RawClient } from '../../test/raw-client.js';
import { apiKeys, startRealtime, type TestServer } from '../../test/test-server.js';

const limits = { publishesPerSecond: 1e6, eventsPerSecond: 1e6 };
const wait = { timeout: 30_000 };

/** Connects, and asks for extensions. */
async function openWith(server: TestServer, extensions: unknown): Promise<[RawClient, Frame]> {
  const client = await server.connect();
  client.send({ type: 'connection_init', extensions });
  return [client, await client.next(({ type }) => type === 'connection_ack')];
}

const openResuming = async (server: TestServer) => (await openWith(server, ['resume']))[0];

/** Subscribes, and returns the acknowledgement. */
async function subscribe(client: RawClient, id: string, fields: object): Promise<Frame> {
  client.send({ type: 'subscribe', id, ...fields });
  return client.next((frame) => frame.id === id && frame.type.startsWith('subscribe'));
}

const dataOf = ({ frames }: RawClient, id: string) =>
  frames.filter((frame) => frame.type === 'data' && frame.id === id);
const eventsOf = (client: RawClient, id: string) => dataOf(client, id).map(({ event }) => event);

async function publish(server: TestServer, channel: string, ...events: unknown[]): Promise<void> {
  for (const event of events) {
    const response = await server.post({ channel, events: [JSON.stringify(event)] });
    expect(response.status).toBe(200);
  }
}

describe('extensions', () => {
  it('are those that the client asks for and the server has', async () => {
    const server = await startRealtime();
    const [, ack] = await openWith(server, ['resume', 'channel', 'other', 7]);
    expect(ack).toEqual({
      type: 'connection_ack',
      connectionTimeoutMs: 300_000,
      extensions: ['resume', 'channel'],
      epoch: expect.any(String),
    });
    const [, none] = await openWith(server, []);
    expect(none.extensions).toEqual([]);
    expect(none).not.toHaveProperty('epoch');
    const [, odd] = await openWith(server, 'resume');
    expect(odd).toEqual({ type: 'connection_ack', connectionTimeoutMs: 300_000 });
  });

  it('change nothing for a client that does not ask', async () => {
    const server = await startRealtime();
    const client = await server.open();
    const resume = { epoch: 'x', position: '0' };
    const fields = { channel: '/stored/*', resume, presence: {} };
    expect(await subscribe(client, 's', fields)).toEqual({ type: 'subscribe_success', id: 's' });
    await publish(server, '/stored/a', 1);
    const data = await client.next(({ type }) => type === 'data');
    expect(data).toEqual({ type: 'data', id: 's', event: '1' });
  });

  it('name the channel in frames of wildcards only', async () => {
    const server = await startRealtime();
    const [client] = await openWith(server, ['channel']);
    await subscribe(client, 'all', { channel: '/default/*' });
    await subscribe(client, 'one', { channel: '/default/a/b' });
    await publish(server, '/default/a/b', 1);
    await expect.poll(() => client.frames.filter(({ type }) => type === 'data').length).toBe(2);
    expect(dataOf(client, 'all')[0]).toEqual({
      ...{ type: 'data', id: 'all', event: '1', channel: '/default/a/b' },
    });
    expect(dataOf(client, 'one')[0]).toEqual({ type: 'data', id: 'one', event: '1' });
  });

  it('give each subscriber of a channel the fields that it has asked for', async () => {
    const server = await startRealtime();
    const asked = [[], ['resume'], ['channel'], ['resume', 'channel']];
    const clients = await Promise.all(asked.map(async (each) => (await openWith(server, each))[0]));
    for (const client of clients) await subscribe(client, 's', { channel: '/stored/*' });
    await server.post({ channel: '/stored/a', events: ['1', '"ü"'] });
    await expect.poll(() => clients.map((each) => dataOf(each, 's').length)).toEqual([2, 2, 2, 2]);
    const fields = clients.map((client) => dataOf(client, 's').map((frame) => Object.keys(frame)));
    const plain = ['type', 'id', 'event'];
    const expected = [plain, [...plain, 'position'], [...plain, 'channel']];
    const all = [...expected, [...plain, 'position', 'channel']];
    expect(fields).toEqual(all.map((each) => [each, each]));
    const [first, second] = dataOf(clients[3] as RawClient, 's');
    expect(BigInt(String(second?.position))).toBe(BigInt(String(first?.position)) + 1n);
  });
});

describe('a subscriber that comes back', () => {
  it('gets what it has missed, although it had got nothing before', async () => {
    const server = await startRealtime();
    const first = await openResuming(server);
    const { epoch, position } = await subscribe(first, 's', { channel: '/stored/a' });
    expect(position).toMatch(/^\d+$/);
    first.socket.terminate();
    await publish(server, '/stored/a', 1, 2, 3);
    await publish(server, '/stored/other', 'not this');
    const second = await openResuming(server);
    const resume = { epoch, position };
    const answer = await subscribe(second, 't', { channel: '/stored/a', resume });
    expect(answer).toMatchObject({ type: 'subscribe_success', epoch, recovered: true });
    await publish(server, '/stored/a', 4);
    await expect.poll(() => eventsOf(second, 't'), wait).toEqual(['1', '2', '3', '4']);
    const at = (wanted: string) => second.frames.findIndex(({ type }) => type === wanted);
    expect(at('subscribe_success')).toBeLessThan(at('data'));
  });

  it('gets nothing twice that it has got before, in the middle of a batch', async () => {
    const server = await startRealtime();
    const first = await openResuming(server);
    const { epoch } = await subscribe(first, 's', { channel: '/stored/*' });
    await server.post({ channel: '/stored/a', events: ['1', '2', '3'] });
    const { position } = await first.next(({ event }) => event === '2');
    first.socket.terminate();
    await publish(server, '/stored/b', 4);
    const second = await openResuming(server);
    const resume = { epoch, position };
    await subscribe(second, 't', { channel: '/stored/*', resume });
    await expect.poll(() => eventsOf(second, 't'), wait).toEqual(['3', '4']);
    const positions = dataOf(second, 't').map((frame) => BigInt(String(frame.position)));
    expect(positions[0]).toBe(BigInt(String(position)) + 1n);
  });

  it('is told of the gap when more was published than the history of the channel has', async () => {
    const namespaces = [{ name: 'stored', history: 5 }];
    const server = await startRealtime({ namespaces });
    const first = await openResuming(server);
    const { epoch, position } = await subscribe(first, 's', { channel: '/stored/a' });
    first.socket.terminate();
    await publish(server, '/stored/a', 1, 2, 3, 4, 5);
    const resume = { epoch, position };
    const second = await openResuming(server);
    const answer = await subscribe(second, 'five', { channel: '/stored/a', resume });
    expect(answer).toMatchObject({ recovered: true });
    await publish(server, '/stored/a', 6, 7);
    const refused = await subscribe(second, 'seven', { channel: '/stored/a', resume });
    expect(refused).toMatchObject({ type: 'subscribe_success', recovered: false });
    // The history is that of each channel.
    await publish(server, '/stored/b', 8);
    const wildcard = { channel: '/stored/*', resume };
    expect(await subscribe(second, 'all', wildcard)).toMatchObject({ recovered: false });
    await publish(server, '/stored/a', 9);
    await expect.poll(() => eventsOf(second, 'seven'), wait).toEqual(['9']);
    expect(eventsOf(second, 'all')).toEqual(['9']);
    // The new position is one to resume from.
    const again = { epoch, position: refused.position };
    const third = await openResuming(server);
    const recovered = await subscribe(third, 's', { channel: '/stored/a', resume: again });
    expect(recovered).toMatchObject({ recovered: true });
    await expect.poll(() => eventsOf(third, 's'), wait).toEqual(['9']);
  });

  it.each([
    ['of another epoch', { epoch: 'other' }],
    ['without an epoch', { epoch: 7 }],
    ['from the future', { position: '999999' }],
    ['that is no number', { position: '1e3' }],
    ['that is no text', { position: 3 }],
    ['that is too large for anything', { position: '9'.repeat(400) }],
    ['below everything', { position: '-1' }],
    ['far below everything', { position: '-99' }],
  ])('is told that it cannot be helped with a position %s', async (_what, wrong) => {
    const server = await startRealtime();
    const client = await openResuming(server);
    const { epoch, position } = await subscribe(client, 's', { channel: '/stored/a' });
    await publish(server, '/stored/a', 1);
    const resume = { epoch, position, ...wrong };
    const answer = await subscribe(client, 't', { channel: '/stored/a', resume });
    expect(answer).toMatchObject({ type: 'subscribe_success', epoch, recovered: false });
    await publish(server, '/stored/a', 2);
    await expect.poll(() => eventsOf(client, 't'), wait).toEqual(['2']);
  });

  it.each([[[]], ['text'], [7], [{}], [true]])('may send %j as resume', async (resume) => {
    const client = await openResuming(await startRealtime());
    const answer = await subscribe(client, 's', { channel: '/stored/a', resume });
    expect(answer).toMatchObject({ recovered: false });
  });

  it('is told that it cannot be helped where events are not stored', async () => {
    const server = await startRealtime();
    const client = await openResuming(server);
    const { epoch, position } = await subscribe(client, 's', { channel: '/default/a' });
    await publish(server, '/default/a', 1);
    expect(await client.next(({ type }) => type === 'data')).not.toHaveProperty('position');
    const resume = { epoch, position };
    const answer = await subscribe(client, 't', { channel: '/default/a', resume });
    expect(answer).toMatchObject({ recovered: false });
  });

  it('needs the same rights as at first', async () => {
    const keys = { key: {}, other: { mayUse: () => false } };
    const server = await startRealtime({ authorizers: [apiKeys(keys)] });
    const client = await openResuming(server);
    const { epoch, position } = await subscribe(client, 's', { channel: '/stored/a' });
    await publish(server, '/stored/a', 'secret');
    const authorization = { 'x-api-key': 'other' };
    const resume = { epoch, position };
    const fields = { channel: '/stored/a', resume, authorization };
    expect((await subscribe(client, 't', fields)).type).toBe('subscribe_error');
    expect(eventsOf(client, 't')).toEqual([]);
  });

  it('gets nothing of another realm, whose positions it knows', async () => {
    const authorizers = [apiKeys({ key: { realm: 'a' }, other: { realm: 'b' } })];
    const server = await startRealtime({ authorizers });
    const client = await openResuming(server);
    const { epoch, position } = await subscribe(client, 's', { channel: '/stored/a' });
    await publish(server, '/stored/a', 'secret');
    const authorization = { 'x-api-key': 'other' };
    const resume = { epoch, position };
    for (const channel of ['/stored/a', '/stored/*']) {
      const id = channel.endsWith('*') ? 'all' : 'one';
      const answer = await subscribe(client, id, { channel, resume, authorization });
      expect(answer).toMatchObject({ recovered: true });
      expect(eventsOf(client, id)).toEqual([]);
    }
  });

  it('gets more than may wait for a connection, as fast as it reads', async () => {
    const namespaces = [{ name: 'stored', history: 1_000 }];
    const maxWaitingBytes = 200_000;
    const server = await startRealtime({ namespaces, limits: { ...limits, maxWaitingBytes } });
    const first = await openResuming(server);
    const { epoch, position } = await subscribe(first, 's', { channel: '/stored/a' });
    first.socket.terminate();
    const text = 'x'.repeat(20_000);
    for (let n = 0; n < 500; n += 5) {
      const events = Array.from({ length: 5 }, (_, i) => JSON.stringify(`${n + i} ${text}`));
      await server.post({ channel: '/stored/a', events });
    }
    const second = await openResuming(server);
    second.socket.pause();
    second.send({ type: 'subscribe', id: 't', channel: '/stored/a', resume: { epoch, position } });
    await publish(server, '/stored/a', 'live');
    second.socket.resume();
    await expect.poll(() => eventsOf(second, 't').length, wait).toBe(501);
    const numbers = eventsOf(second, 't').map((event) => String(JSON.parse(String(event))));
    const wanted = Array.from({ length: 500 }, (_, n) => `${n}`);
    expect(numbers.map((each) => each.split(' ')[0])).toEqual([...wanted, 'live']);
    expect(second.closed).toBeUndefined();
  });

  it('is answered before it unsubscribes, and before the frames behind it', async () => {
    const server = await startRealtime();
    const client = await openResuming(server);
    const { epoch, position } = await subscribe(client, 's', { channel: '/stored/a' });
    await publish(server, '/stored/a', 1);
    client.frames.length = 0;
    const resume = { epoch, position };
    client.send({ type: 'subscribe', id: 't', channel: '/stored/a', resume });
    client.send({ type: 'subscribe', id: 't', channel: '/stored/a', resume });
    client.send({ type: 'unsubscribe', id: 't' });
    await client.next(({ type }) => type === 'unsubscribe_success');
    const types = client.frames.filter(({ type }) => type !== 'ka').map(({ type }) => type);
    expect(types.toSorted()).toEqual(
      expect.arrayContaining(['subscribe_error', 'subscribe_success', 'unsubscribe_success']),
    );
    expect(server.realtime.counts().subscriptions).toBe(1);
  });
});

import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import type { Frame, RawClient } from '../../test/raw-client.js';
import { apiKeys, startRealtime } from '../../test/test-server.js';

const wait = { timeout: 30_000 };
const realms = apiKeys({ key: {}, shop: { realm: 'shop' }, game: { realm: 'game' } });

const publish = (id: string, events: readonly string[] = ['1']) => ({
  ...{ type: 'publish', channel: '/default/a' },
  id,
  events,
});

const isAnswer = (id: string) => (frame: Frame) => frame.id === id;

/** Resolves when the client gets an answer to an operation. */
async function expectServed(client: RawClient, id: string): Promise<void> {
  client.send(publish(id));
  expect(await client.next(isAnswer(id))).toMatchObject({ type: 'publish_success' });
}

it.each(['ping', 'pong'] as const)(
  'cuts a client off that sends a %s without end',
  async (control) => {
    const server = await startRealtime();
    const [flooding, other] = [await server.open(), await server.open()];
    flooding.socket.on('error', () => undefined);
    for (let i = 0; i < 20; i += 1) flooding.socket[control]();
    await expectServed(flooding, 'some');
    for (let i = 0; i < 5_000; i += 1) flooding.socket[control]();
    await flooding.end();
    await expectServed(other, 'other');
    expect(server.realtime.counts().connections).toBe(1);
  },
);

it('closes the connection of a client that cuts a frame into very many fragments', async () => {
  const client = await (await startRealtime()).open();
  client.socket.send('{"type":"unsub', { fin: false });
  for (let i = 0; i < 2_000; i += 1) client.socket.send('', { fin: false });
  expect(await client.end()).toMatchObject({ code: 1008 });
});

it('cuts a client off that sends thousands of frames at once', async () => {
  const server = await startRealtime();
  const [flooding, other] = [await server.open(), await server.open()];
  flooding.socket.on('error', () => undefined);
  const { _socket: socket } = flooding.socket as unknown as { _socket: Socket };
  // Masked text frames of seven bytes.
  socket.write(Buffer.alloc(7 * 9_000, Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78])));
  await flooding.end();
  await expectServed(other, 'other');
  expect(flooding.frames.length).toBeLessThan(2_000);
  expect(server.realtime.counts().connections).toBe(1);
});

it('answers garbage of a realm as slowly over many connections as over one', async () => {
  const limits = { faultsPerSecond: 100 };
  const server = await startRealtime({ authorizers: [realms], limits });
  const open = (realm: string) => server.open({ credential: { 'x-api-key': realm } });
  const flooding = await Promise.all(Array.from({ length: 10 }, () => open('shop')));
  const [same, other] = [await open('shop'), await open('game')];
  const startedAt = performance.now();
  for (const client of flooding) for (let i = 0; i < 60; i += 1) client.send('x');
  await expectServed(other, 'other');
  // Frames in order do not wait for those that are not.
  await expectServed(same, 'same');
  const errors = () =>
    flooding.reduce((sum, { frames }) => sum + frames.filter((f) => f.type === 'error').length, 0);
  await expect.poll(errors, wait).toBe(600);
  // 100 at once, then 100 a second.
  expect(performance.now() - startedAt).toBeGreaterThan(3_000);
});

it('handles all frames of a client that sends more than it may, but not at once', async () => {
  const limits = { framesPerSecond: 100 };
  const server = await startRealtime({ limits });
  const [flooding, other] = [await server.open(), await server.open()];
  const startedAt = performance.now();
  for (let i = 0; i < 300; i += 1) flooding.send('x');
  await expectServed(other, 'other');
  const errors = () => flooding.frames.filter(({ type }) => type === 'error').length;
  await expect.poll(errors, wait).toBe(300);
  expect(performance.now() - startedAt).toBeGreaterThan(1_500);
});

it('lets a realm wait that sends frames which are hard to read, and no other', async () => {
  const server = await startRealtime({ authorizers: [realms], limits: { readingMsPerSecond: 1 } });
  const open = (realm: string) => server.open({ credential: { 'x-api-key': realm } });
  const [hard, same, other] = [await open('shop'), await open('shop'), await open('game')];
  const deep = `${'['.repeat(300_000)}${']'.repeat(300_000)}`;
  hard.send(`{"type":"unsubscribe","id":"hard","more":${deep}}`);
  await hard.next(isAnswer('hard'));
  // It has used many seconds of its time. Small frames cost none.
  same.send({ ...publish('large'), more: 'x'.repeat(10_000) });
  await expectServed(other, 'other');
  other.send({ ...publish('large'), more: 'x'.repeat(10_000) });
  await other.next(isAnswer('large'));
  expect(same.frames.some(isAnswer('large'))).toBe(false);
  await expectServed(hard, 'small');
});

it('handles no further frame for a moment after one was over a limit', async () => {
  const server = await startRealtime({ limits: { publishesPerSecond: 1 } });
  const client = await server.open();
  await expectServed(client, 'first');
  const startedAt = performance.now();
  for (const id of ['a', 'b', 'c', 'd', 'e']) client.send(publish(id));
  await client.next(isAnswer('e'));
  expect(performance.now() - startedAt).toBeGreaterThan(300);
});

it.each(['eventsPerSecond', 'messagesPerSecond'] as const)(
  'counts %s for each realm by itself',
  async (limit) => {
    const server = await startRealtime({ authorizers: [realms], limits: { [limit]: 2 } });
    const open = (realm: string) => server.open({ credential: { 'x-api-key': realm } });
    const [shop, game] = [await open('shop'), await open('game')];
    for (const id of ['a', 'b', 'c', 'd']) {
      shop.send({ type: 'subscribe', id, channel: '/default/a' });
      await shop.next(isAnswer(id));
    }
    for (const id of ['p', 'q', 'r']) shop.send(publish(id));
    expect(await shop.next(isAnswer('r'))).toMatchObject({
      type: 'publish_error',
      errors: [{ errorType: 'LimitExceededError' }],
    });
    await expectServed(game, 'game');
  },
);

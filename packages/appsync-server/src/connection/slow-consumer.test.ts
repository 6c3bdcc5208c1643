import { expect, it } from 'vitest';
import { startRealtime } from '../../test/test-server.js';

const limits = { publishesPerSecond: 1e6, eventsPerSecond: 1e6 };

it('closes a consumer that stops reading with 1013, in bounded memory, and others lose nothing', async () => {
  const server = await startRealtime({ limits });
  const [publisher, reader, stalled] = await Promise.all([
    server.open(),
    server.open(),
    server.open(),
  ]);
  for (const client of [reader, stalled]) {
    client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
    await client.next(({ type }) => type === 'subscribe_success');
  }
  stalled.socket.pause();
  const heapBefore = process.memoryUsage().rss;
  const text = 'x'.repeat(2_000);
  const received = () => reader.frames.filter(({ type }) => type === 'data').length;
  for (let sent = 0; sent < 10_000; sent += 500) {
    for (let n = sent; n < sent + 500; n += 1) {
      const events = [JSON.stringify({ n, text })];
      publisher.send({ type: 'publish', id: `${n}`, channel: '/default/a', events });
    }
    await expect.poll(received, { timeout: 20_000 }).toBe(sent + 500);
  }
  expect(server.realtime.counts().slowConsumers).toBe(1);
  // What the two other clients of this process keep is 20 MB of text, and as much again on its way.
  expect(process.memoryUsage().rss - heapBefore).toBeLessThan(250_000_000);
  const numbers = reader.frames
    .filter(({ type }) => type === 'data')
    .map(({ event }) => JSON.parse(String(event)).n);
  expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
  stalled.socket.resume();
  expect(await stalled.end()).toMatchObject({ code: 1013 });
  // What it got before is a beginning without gaps.
  const got = stalled.frames
    .filter(({ type }) => type === 'data')
    .map(({ event }) => JSON.parse(String(event)).n);
  expect(got.length).toBeLessThan(10_000);
  expect(got).toEqual(Array.from({ length: got.length }, (_, n) => n));
}, 60_000);

it('loses nothing for others when events are so large that they are written at once', async () => {
  const server = await startRealtime({ limits });
  const clients = await Promise.all(Array.from({ length: 4 }, () => server.open()));
  for (const client of clients) {
    client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
    await client.next(({ type }) => type === 'subscribe_success');
  }
  const [stalled, ...readers] = clients;
  stalled?.socket.pause();
  const publisher = await server.open();
  for (let n = 0; n < 100; n += 1) {
    const events = [JSON.stringify(`${n} ${'x'.repeat(150_000)}`)];
    publisher.send({ type: 'publish', id: `${n}`, channel: '/default/a', events });
    for (const reader of readers) {
      await reader.next(({ event }) => event !== undefined && `${event}`.startsWith(`"${n} `));
    }
  }
  expect(server.realtime.counts().slowConsumers).toBe(1);
  stalled?.socket.resume();
  expect(await stalled?.end()).toMatchObject({ code: 1013 });
});

it('sends a healthy consumer more at once than may wait', async () => {
  const server = await startRealtime({ limits: { ...limits, maxWaitingBytes: 10_000 } });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  const events = Array.from({ length: 5 }, () => JSON.stringify('x'.repeat(10_000)));
  client.send({ type: 'publish', id: 'p', channel: '/default/a', events });
  await expect.poll(() => client.frames.filter(({ type }) => type === 'data').length).toBe(5);
});

it('sends frames whose length needs each kind of header', async () => {
  const server = await startRealtime({ limits });
  const client = await server.open();
  client.send({ type: 'subscribe', id: 's', channel: '/default/a' });
  await client.next(({ type }) => type === 'subscribe_success');
  // A data frame is 34 bytes longer than its event, besides the escapes.
  const lengths = [
    1, 90, 91, 92, 93, 94, 95, 65_498, 65_499, 65_500, 65_501, 65_502, 70_000, 200_000,
  ];
  for (const length of lengths) {
    const events = [JSON.stringify('x'.repeat(length))];
    client.send({ type: 'publish', id: `p${length}`, channel: '/default/a', events });
    await client.next(({ event }) => event === events[0]);
  }
});

import { expect, it } from 'vitest';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.js';

const stream =
  'retry: 2000\nid: a\n\n:\n\nid: b\ndata: {"text":"ü: \\n"}\n\nid: c\n\nid: d\ndata: half';

async function read(chunkBytes: number): Promise<ServerSentEvent[]> {
  const bytes = Buffer.from(stream);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < bytes.length; i += chunkBytes) yield bytes.subarray(i, i + chunkBytes);
  }
  const read: ServerSentEvent[] = [];
  for await (const event of readServerSentEvents(chunks())) read.push(event);
  return read;
}

it.each([1, 2, 3, 7, 1_000])('reads server-sent events that come %i bytes at a time', async (n) => {
  expect(await read(n)).toEqual([
    { id: 'a', data: undefined },
    { id: 'a', data: undefined },
    { id: 'b', data: '{"text":"ü: \\n"}' },
    { id: 'c', data: undefined },
  ]);
});

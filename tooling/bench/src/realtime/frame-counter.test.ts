import { expect, it } from 'vitest';
import { FrameCounter } from './frame-counter.js';

/** Frames of a server: an empty one, short, long and very long texts, a ping, and a close. */
function stream(): Buffer {
  const frame = (opcode: number, length: number): Buffer => {
    const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    header[0] = 0x80 | opcode;
    header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
    if (header.length === 4) header.writeUInt16BE(length, 2);
    if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
    return Buffer.concat([header, Buffer.alloc(length, 0x81)]);
  };
  const texts = [0, 5, 125, 126, 300, 70_000].map((length) => frame(1, length));
  return Buffer.concat([...texts, frame(9, 0), frame(9, 4), frame(8, 2)]);
}

it.each([1, 2, 3, 7, 1_000, 1_000_000])('counts text frames in parts of %d bytes', (size) => {
  const counter = new FrameCounter();
  const bytes = stream();
  for (let at = 0; at < bytes.length; at += size) counter.read(bytes.subarray(at, at + size));
  expect(counter.frames).toBe(6);
  expect(counter.events).toBe(2);
  expect(counter.isClosed).toBe(true);
});

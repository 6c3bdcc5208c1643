import { randomBytes } from 'node:crypto';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { beforeAll, describe, expect, it } from 'vitest';
import { registerCodecs } from './codecs.js';

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(compressed: Buffer): Promise<Buffer>;
}

const types = [CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD] as const;
const find = (type: (typeof types)[number]): Codec => kafkajs.CompressionCodecs[type]();

describe('the codecs', () => {
  beforeAll(registerCodecs);

  it.each(types)('%i gives back what it was given', async (type) => {
    for (const size of [0, 1, 1_000, 32_768, 32_769, 300_000]) {
      for (const plain of [Buffer.alloc(size, 'posthaste '), randomBytes(size)]) {
        const compressed = await find(type).compress({ buffer: plain });
        expect((await find(type).decompress(compressed)).equals(plain)).toBe(true);
      }
    }
  });

  it('reads snappy without frames, as librdkafka writes it', async () => {
    // The length, 5; a literal of 5 bytes.
    const bare = Buffer.concat([Buffer.from([5, 4 << 2]), Buffer.from('hello')]);
    expect(String(await find(CompressionTypes.Snappy).decompress(bare))).toBe('hello');
  });
});

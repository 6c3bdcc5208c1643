import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { getCodec, getCodecByNumber } from './codecs.js';

describe('a codec', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s gives back its input', async (name) => {
    const codec = getCodec(name);
    for (const size of [0, 1, 1_000, 32_768, 32_769, 300_000]) {
      for (const plain of [Buffer.alloc(size, 'posthaste '), randomBytes(size)]) {
        const compressed = await codec.compress(plain);
        expect((await codec.decompress(compressed)).equals(plain)).toBe(true);
      }
    }
  });

  it('for snappy reads a raw block, as librdkafka writes it', async () => {
    // The length, 5; a literal of 5 bytes.
    const raw = Buffer.concat([Buffer.from([5, 4 << 2]), Buffer.from('hello')]);
    expect(String(await getCodec('snappy').decompress(raw))).toBe('hello');
  });

  it('is found by its number, and a number without a codec is an error', () => {
    expect(getCodecByNumber(4)).toBe(getCodec('zstd'));
    expect(() => getCodecByNumber(7)).toThrow('codec 7');
  });
});

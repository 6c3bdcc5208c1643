import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChannel, toChannelSegment } from './channel-path.js';
import { sha256 } from './sha256.js';

const expected = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('toChannelSegment', () => {
  it('keeps what is a segment already', () => {
    for (const name of ['orders', 'A', 'x-1', '0', 'a'.repeat(50)]) {
      expect(toChannelSegment(name)).toBe(name);
    }
  });

  it('makes x- and 32 digits of the SHA-256 of every other name', () => {
    for (const name of ['', 'orders.v1', '-a', 'a-', 'a/b', '*', 'größe', 'a b', 'a'.repeat(51)]) {
      expect(toChannelSegment(name)).toBe(`x-${expected(name).slice(0, 32)}`);
    }
  });

  it('makes a segment of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const segment = toChannelSegment(name);
        expect(parseChannel(`/posthaste/events/${segment}`)?.segments).toEqual([
          ...['posthaste', 'events', segment],
        ]);
      }),
    );
  });
});

describe('sha256', () => {
  it('equals that of Node, for every length around the ends of blocks', () => {
    for (let length = 0; length <= 260; length += 1) {
      const text = 'é'.repeat(length % 3) + 'a'.repeat(length);
      expect(sha256(text)).toBe(expected(text));
    }
  });

  it('equals that of Node, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
        expect(sha256(text)).toBe(expected(text));
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../src/envelope/decode.js';
import { readGoResults, relay } from './go-results.js';

const { read, dropped } = readGoResults('envelopes');

describe('a record that a Go service reads and writes', () => {
  it.each(read)('is read and written the same here: $record', (go) => {
    expect(relay(go.record, 'default')).toBe(go.newer);
    expect(relay(go.record, 'v3.1')).toBe(go.older);
  });
});

describe('a record that a Go service drops', () => {
  it.each(dropped)('is refused here: $record', ({ record }) => {
    expect(() => decodeEnvelope(Buffer.from(record))).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    );
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../src/envelope/decode.js';
import { type EnvelopeProfile, encodeEnvelope } from '../src/envelope/encode.js';

/** What a Go service makes of a record: see go/envelopes.go, which wrote them. */
interface GoResult {
  readonly record: string;
  readonly newer?: string;
  readonly older?: string;
  readonly error?: string;
}

const results = readFileSync(`${import.meta.dirname}/go/envelopes.jsonl`, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as GoResult);

/** The record read and published again, without the keys that Go services do not know. */
function relay(record: string, profile: EnvelopeProfile): string {
  const { unknownKeys, ...known } = decodeEnvelope(Buffer.from(record));
  return encodeEnvelope(known, profile).toString('utf8');
}

describe('a record that a Go service reads and writes', () => {
  it.each(results.filter(({ error }) => error === undefined))(
    'is the same for us: $record',
    (go) => {
      expect(relay(go.record, 'default')).toBe(go.newer);
      expect(relay(go.record, 'v3.1')).toBe(go.older);
    },
  );
});

describe('a record that a Go service drops', () => {
  it.each(results.filter(({ error }) => error !== undefined))('fails: $record', ({ record }) => {
    expect(() => decodeEnvelope(Buffer.from(record))).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    );
  });
});

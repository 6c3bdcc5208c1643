import { readFileSync } from 'node:fs';
import { decodeEnvelope } from '../src/envelope/decode.js';
import { type EnvelopeProfile, encodeEnvelope } from '../src/envelope/encode.js';

/** Record that a Go service has read and published again. Written by go/envelopes.go. */
export interface GoResult {
  readonly record: string;
  /** Published with the newer SDK. */
  readonly newer: string;
  /** Published with the older SDK. */
  readonly older: string;
}

/** Record that a Go service drops. */
export interface GoError {
  readonly record: string;
  readonly error: string;
}

export interface GoResults {
  readonly read: readonly GoResult[];
  readonly dropped: readonly GoError[];
}

/** Reads a file in `go`: `envelopes` of any origin, or the ones that this package `published`. */
export function readGoResults(name: 'envelopes' | 'published'): GoResults {
  const lines = readFileSync(`${import.meta.dirname}/go/${name}.jsonl`, 'utf8')
    .trimEnd()
    .split('\n');
  const results = lines.map((line) => JSON.parse(line) as GoResult | GoError);
  return {
    read: results.filter((result) => 'newer' in result),
    dropped: results.filter((result) => 'error' in result),
  };
}

/** Decodes and encodes a record, without the keys that Go services do not know. */
export function relay(record: string, profile: EnvelopeProfile): string {
  const { unknownKeys, ...known } = decodeEnvelope(Buffer.from(record));
  return encodeEnvelope(known, profile).toString('utf8');
}

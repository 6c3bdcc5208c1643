import { readFileSync } from 'node:fs';
import { decodeEnvelope } from '../src/envelope/decode.js';
import { type EnvelopeProfile, encodeEnvelope } from '../src/envelope/encode.js';

/** What a Go service makes of a record: see go/envelopes.go, which wrote them. */
export interface GoResult {
  readonly record: string;
  /** What it publishes after reading it, with the newer SDK. */
  readonly newer: string;
  /** The same with the older SDK. */
  readonly older: string;
}

/** A record that a Go service drops. */
export interface GoError {
  readonly record: string;
  readonly error: string;
}

export interface GoResults {
  readonly read: readonly GoResult[];
  readonly dropped: readonly GoError[];
}

/** @param name of a file in `go`: `envelopes` of any origin, or what this package has `published` */
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

/** The record read and published again, without the keys that Go services do not know. */
export function relay(record: string, profile: EnvelopeProfile): string {
  const { unknownKeys, ...known } = decodeEnvelope(Buffer.from(record));
  return encodeEnvelope(known, profile).toString('utf8');
}

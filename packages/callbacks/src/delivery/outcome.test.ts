import { expect, it } from 'vitest';
import { deliveryOf } from '../../test/deliveries.js';
import type { RetryPolicy } from '../retry/retry-policy.js';
import { type ClassifiedOutcome, classifyOutcome, type HttpOutcome } from './outcome.js';

const policy: RetryPolicy = { kind: 'phases', phases: [{ retries: 1, delayNs: 1_000_000_000n }] };

function classify(outcome: HttpOutcome, endpointId?: string): ClassifiedOutcome {
  const delivery = deliveryOf({ endpointId, request: { policy } });
  return classifyOutcome(delivery, outcome, { startedAtMs: 0, endedAtMs: 1_000, random: 0.5 });
}

function answer(statusCode: number, headers: readonly [string, string][] = []): HttpOutcome {
  const whole = { truncated: false, cut: false, resent: false, durationNs: 1n };
  return { kind: 'response', statusCode, headers, body: Buffer.alloc(0), ...whole };
}

type Failure = HttpOutcome & { kind: 'failure' };

function failure(reason: Failure['reason'], permanent = false): HttpOutcome {
  return { kind: 'failure', reason, detail: '', permanent, resent: false, durationNs: 1n };
}

it.each<[string, HttpOutcome, string]>([
  ['answered', answer(204), 'delivered'],
  ['answered', answer(500), 'retry'],
  ['answered', answer(302), 'retry'],
  ['answered', answer(410), 'retry'],
  ['overloaded', answer(429), 'retry'],
  ['overloaded', answer(503), 'retry'],
  ['answered', failure('protocol'), 'retry'],
  ['answered', failure('too_large'), 'retry'],
  ['slow', failure('timeout'), 'retry'],
  ['unreachable', failure('dns'), 'retry'],
  ['unreachable', failure('refused'), 'retry'],
  ['unreachable', failure('reset'), 'retry'],
  ['unreachable', failure('tls'), 'retry'],
])('signals %s for %o, and the callback becomes %s', (signal, outcome, becomes) => {
  const { verdict, signal: found } = classify(outcome);
  expect(found?.kind).toBe(signal);
  expect(verdict.kind === 'ended' ? verdict.ending : verdict.kind).toBe(becomes);
});

it.each<[string, HttpOutcome]>([
  ['a URL or a header that cannot be sent', failure('protocol', true)],
  ['an address that is denied', failure('blocked', true)],
])('fails at once for %s, and reports nothing about the host', (_, outcome) => {
  expect(classify(outcome)).toMatchObject({
    verdict: { kind: 'ended', ending: 'failed' },
    signal: undefined,
  });
});

it('fails at once, and gives the endpoint up, when its receiver is gone', () => {
  const verdict = { kind: 'ended', ending: 'failed', endpointGone: true };
  expect(classify(answer(410), 'endpoint')).toMatchObject({ verdict });
});

it('retries after the time that the receiver asks for', () => {
  const { verdict, signal } = classify(answer(503, [['Retry-After', '5']]));
  expect(verdict).toEqual({ kind: 'retry', delayNs: 5_000_000_000n });
  expect(signal).toEqual({ kind: 'overloaded', retryAfterMs: 5_000 });
});

it.each(['100000', '99999999999999999999', '9'.repeat(400)])(
  'retries after a day at most, also when the receiver asks for %s seconds',
  (seconds) => {
    const { verdict } = classify(answer(503, [['Retry-After', seconds]]));
    expect(verdict).toEqual({ kind: 'retry', delayNs: 86_400_000_000_000n });
  },
);

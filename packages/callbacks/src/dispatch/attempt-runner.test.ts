import { PlatformError } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { deliveryOf, type TestDelivery } from '../../test/deliveries.js';
import type { HttpRequest, Signer } from '../delivery/attempt-request.js';
import { type AttemptResult, AttemptRunner } from './attempt-runner.js';
import { DatabaseClock } from './database-clock.js';

const leaseMs = 10_000;
const leaseMarginMs = 1_000;

/** Runs the attempt of a delivery whose lease is `ageMs` old, at a host that answers 200. */
async function run(
  delivery: TestDelivery,
  { ageMs = 0, sign = () => undefined }: { ageMs?: number; sign?: Signer['sign'] } = {},
): Promise<{ result: AttemptResult; requests: HttpRequest[]; errors: unknown[] }> {
  const requests: HttpRequest[] = [];
  const errors: unknown[] = [];
  const runner = new AttemptRunner(
    {
      http: {
        send: async (request) => {
          requests.push(request);
          const body = Buffer.alloc(0);
          const whole = { truncated: false, cut: false, resent: false, durationNs: 1n };
          return { kind: 'response', statusCode: 200, headers: [], body, ...whole };
        },
      },
      signer: { sign },
      bodies: { load: async () => undefined },
      clock: new DatabaseClock(),
      onError: (error) => errors.push(error),
    },
    {
      userAgent: 'Posthaste test',
      maxResponseBytes: 64,
      leaseMs,
      leaseMarginMs,
      minRetryDelayMs: 0,
    },
  );
  const leasedAtMs = performance.now() - ageMs;
  const result = await runner.run({
    delivery: deliveryOf(delivery),
    endpoint: undefined,
    leasedAtMs,
  });
  return { result, requests, errors };
}

it('sends the request and returns what came of it', async () => {
  const { result, requests } = await run({});
  expect(requests).toHaveLength(1);
  expect(result).toMatchObject({
    attempt: { statusCode: 200 },
    verdict: { kind: 'ended', ending: 'delivered' },
    signal: { kind: 'answered' },
  });
});

it('sends nothing and releases the delivery when too little is left of the lease', async () => {
  const request = { timeoutMs: 5_000 };
  expect((await run({ request }, { ageMs: 3_900 })).requests).toHaveLength(1);
  const { result, requests } = await run({ request }, { ageMs: 4_100 });
  expect(requests).toEqual([]);
  expect(result).toEqual({ attempt: undefined, verdict: { kind: 'release' }, signal: undefined });
});

it('retries later, without counting an attempt, when there was no memory for its body', async () => {
  const { result, requests } = await run({
    largeBodyBytes: 1_000_000,
    request: { method: 'POST' },
  });
  expect(requests).toEqual([]);
  expect(result).toMatchObject({ attempt: undefined, verdict: { kind: 'retry' } });
});

it('cuts a time-out that was allowed when leases were longer', async () => {
  const { requests } = await run({ request: { timeoutMs: 60_000 } });
  expect(requests).toMatchObject([{ timeoutMs: leaseMs - 2 * leaseMarginMs }]);
});

it('fails a delivery for good when its secret was removed', async () => {
  const gone = new PlatformError('SECRET_NOT_FOUND', 'no signing secret main');
  const { result, requests, errors } = await run(
    { request: { secret: 'main' } },
    { sign: () => Promise.reject(gone) },
  );
  expect(requests).toEqual([]);
  expect(errors).toEqual([gone]);
  expect(result).toMatchObject({
    attempt: { statusCode: 0, reason: 'protocol' },
    verdict: { kind: 'ended', ending: 'failed' },
    signal: undefined,
  });
});

it('retries later, without counting an attempt, when signing fails for another reason', async () => {
  const { result } = await run(
    { request: { secret: 'main' } },
    {
      sign: () => Promise.reject(new PlatformError('DATABASE_UNAVAILABLE', 'the database is down')),
    },
  );
  expect(result).toMatchObject({ attempt: undefined, verdict: { kind: 'retry' } });
});

it('retries later, with a note, when the secret was stored with another master key', async () => {
  const unreadable = new PlatformError('SECRET_UNREADABLE', 'secret main cannot be read');
  const { result } = await run(
    { request: { secret: 'main' } },
    { sign: () => Promise.reject(unreadable) },
  );
  expect(result).toMatchObject({
    attempt: undefined,
    verdict: { kind: 'retry', note: 'not sent: secret main cannot be read' },
  });
});

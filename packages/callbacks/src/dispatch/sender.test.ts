import { PlatformError } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { deliveryOf, type TestDelivery } from '../../test/deliveries.js';
import type { HttpRequest, Signer } from '../delivery/attempt-request.js';
import { DatabaseClock } from './database-clock.js';
import { Sender, type Sent } from './sender.js';

const leaseMs = 10_000;
const leaseMarginMs = 1_000;

/** Sends a delivery whose lease is so old, to a host that takes everything. */
async function send(
  delivery: TestDelivery,
  { ageMs = 0, sign = () => undefined }: { ageMs?: number; sign?: Signer['sign'] } = {},
): Promise<{ sent: Sent; requests: HttpRequest[]; errors: unknown[] }> {
  const requests: HttpRequest[] = [];
  const errors: unknown[] = [];
  const sender = new Sender(
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
      bodies: { hold: async () => undefined },
      clock: new DatabaseClock(),
      onError: (error) => errors.push(error),
    },
    { userAgent: 'Posthaste test', maxResponseBytes: 64, leaseMs, leaseMarginMs },
  );
  const leasedAtMs = performance.now() - ageMs;
  const sent = await sender.send({
    delivery: deliveryOf(delivery),
    endpoint: undefined,
    leasedAtMs,
  });
  return { sent, requests, errors };
}

it('sends, and tells what came of it', async () => {
  const { sent, requests } = await send({});
  expect(requests).toHaveLength(1);
  expect(sent).toMatchObject({
    attempt: { statusCode: 200 },
    verdict: { kind: 'ended', ending: 'delivered' },
    signal: { kind: 'answered' },
  });
});

it('sends nothing when too little is left of the lease, and gives it back', async () => {
  const request = { timeoutMs: 5_000 };
  expect((await send({ request }, { ageMs: 3_900 })).requests).toHaveLength(1);
  const { sent, requests } = await send({ request }, { ageMs: 4_100 });
  expect(requests).toEqual([]);
  expect(sent).toEqual({ attempt: undefined, verdict: { kind: 'release' }, signal: undefined });
});

it('tries later, and counts no attempt, when there was no room for its body', async () => {
  const { sent, requests } = await send({ largeBodyBytes: 1_000_000, request: { method: 'POST' } });
  expect(requests).toEqual([]);
  expect(sent).toMatchObject({ attempt: undefined, verdict: { kind: 'retry' } });
});

it('cuts a time that was allowed when leases were longer', async () => {
  const { requests } = await send({ request: { timeoutMs: 60_000 } });
  expect(requests).toMatchObject([{ timeoutMs: leaseMs - 2 * leaseMarginMs }]);
});

it('fails for good what cannot be signed any more', async () => {
  const gone = new PlatformError('SECRET_NOT_FOUND', 'no signing secret main');
  const { sent, requests, errors } = await send(
    { request: { secret: 'main' } },
    { sign: () => Promise.reject(gone) },
  );
  expect(requests).toEqual([]);
  expect(errors).toEqual([gone]);
  expect(sent).toMatchObject({
    attempt: { statusCode: 0, reason: 'protocol' },
    verdict: { kind: 'ended', ending: 'failed' },
    signal: undefined,
  });
});

it('tries later, and counts no attempt, when it cannot sign for another reason', async () => {
  const { sent } = await send(
    { request: { secret: 'main' } },
    { sign: () => Promise.reject(new PlatformError('DATABASE_UNAVAILABLE', 'away')) },
  );
  expect(sent).toMatchObject({ attempt: undefined, verdict: { kind: 'retry' } });
});

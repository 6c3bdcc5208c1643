import { expect, it } from 'vitest';
import { deliveryOf, settingsOf } from '../../test/deliveries.js';
import type { Delivery, Verdict } from '../delivery/delivery.js';
import { Admission, type EndpointSettings, findRefusal } from './admission.js';
import { DatabaseClock } from './database-clock.js';
import { ReceiverPauses } from './receiver-pauses.js';
import { Slots } from './slots.js';

const nowMs = Date.parse('2026-01-02T03:04:05Z');
const limits = { nowMs, maxUnknowns: 3 };

interface RefusalCase {
  readonly what: string;
  readonly delivery: Partial<Delivery>;
  readonly endpoint?: Partial<EndpointSettings>;
  readonly verdict: Verdict | undefined;
}

const endpointId = 'e';

it.each<RefusalCase>([
  { what: 'has no reason for a refusal', delivery: {}, verdict: undefined },
  {
    what: 'is for an active endpoint',
    delivery: { endpointId },
    endpoint: {},
    verdict: undefined,
  },
  {
    what: 'is for a removed endpoint',
    delivery: { endpointId },
    verdict: endedAs('cancelled'),
  },
  {
    what: 'is for a paused endpoint',
    delivery: { endpointId },
    endpoint: { active: false },
    verdict: { kind: 'hold' },
  },
  { what: 'was cancelled', delivery: { cancelled: true }, verdict: endedAs('cancelled') },
  { what: 'lost one worker too many', delivery: { unknowns: 3 }, verdict: endedAs('failed') },
  { what: 'expires in a moment', delivery: { expiresAtMs: nowMs + 1 }, verdict: undefined },
  { what: 'has expired', delivery: { expiresAtMs: nowMs }, verdict: endedAs('expired') },
])('decides about a delivery that $what', ({ delivery, endpoint, verdict }) => {
  const settings = endpoint && settingsOf(endpoint);
  expect(findRefusal(deliveryOf(delivery), settings, limits)).toEqual(verdict);
});

function endedAs(ending: 'cancelled' | 'failed' | 'expired'): Verdict {
  return { kind: 'ended', ending };
}

/** Opens an admission with `total` slots. The test answers its questions about endpoints. */
function openAdmission(total: number, pauses = new ReceiverPauses()) {
  const decided: string[] = [];
  const verdicts: Verdict[] = [];
  const forgotten: string[] = [];
  const answers: PromiseWithResolvers<ReadonlyMap<string, EndpointSettings>>[] = [];
  const admission = new Admission({
    slots: new Slots({
      total,
      perApplication: total,
      origin: { max: total, initial: total, breakAfter: 20, minOpenMs: 1, maxOpenMs: 1 },
    }),
    endpoints: {
      settings: () => {
        const answer = Promise.withResolvers<ReadonlyMap<string, EndpointSettings>>();
        answers.push(answer);
        return answer.promise;
      },
      forget: (id) => forgotten.push(id),
    },
    pauses,
    clock: new DatabaseClock(),
    maxUnknowns: 3,
    onAdmitted: () => decided.push('admitted'),
    onRefused: (_, verdict) => {
      decided.push(verdict.kind);
      verdicts.push(verdict);
    },
  });
  return { admission, decided, verdicts, forgotten, answers };
}

it('admits as many as there are slots, and releases the rest', async () => {
  const { admission, decided } = openAdmission(2);
  await admission.admit([deliveryOf(), deliveryOf(), deliveryOf()], 0);
  expect(decided).toEqual(['admitted', 'admitted', 'release']);
});

it('postpones a delivery whose receiver is paused, until the pause ends or the delivery expires', async () => {
  const pauses = new ReceiverPauses();
  const told = { kind: 'overloaded', retryAfterMs: 20_000 } as const;
  pauses.report(deliveryOf(), told, { nowMs: performance.now(), random: 0 });
  const { admission, decided, verdicts } = openAdmission(9, pauses);
  const expiresAtMs = Date.now() + 5_000;
  const other = deliveryOf({ request: { url: 'http://example.com/other' } });
  await admission.admit([deliveryOf(), other, deliveryOf({ expiresAtMs })], 0);
  expect(decided).toEqual(['retry', 'admitted', 'retry']);
  const [long, short] = verdicts.map((verdict) =>
    verdict.kind === 'retry' ? Number(verdict.delayNs) / 1e6 : 0,
  );
  expect(long).toBeGreaterThan(19_000);
  expect(long).toBeLessThan(21_000);
  expect(short).toBeGreaterThan(4_000);
  expect(short).toBeLessThanOrEqual(5_000);
});

it('asks again about an endpoint that is not active', async () => {
  const { admission, decided, forgotten, answers } = openAdmission(2);
  const admitted = admission.admit([deliveryOf({ endpointId: 'e' })], 0);
  answers[0]?.resolve(new Map([['e', settingsOf({ active: false })]]));
  await admitted;
  expect(decided).toEqual(['hold']);
  expect(forgotten).toEqual(['e']);
});

it('releases everything when the endpoints cannot be read', async () => {
  const { admission, decided, answers } = openAdmission(2);
  const admitted = admission.admit([deliveryOf({ endpointId: 'e' }), deliveryOf()], 0);
  answers[0]?.reject(new Error('away'));
  await expect(admitted).rejects.toThrow('away');
  expect(decided).toEqual(['release', 'release']);
});

it('closes once deliveries whose endpoints are being read are released, and admits nothing more', async () => {
  const { admission, decided, answers } = openAdmission(2);
  void admission.admit([deliveryOf({ endpointId: 'e' })], 0);
  const closed = admission.close().then(() => decided.push('closed'));
  void admission.admit([deliveryOf()], 0);
  expect(decided).toEqual(['release']);
  answers[0]?.resolve(new Map([['e', settingsOf()]]));
  await closed;
  expect(decided).toEqual(['release', 'release', 'closed']);
});

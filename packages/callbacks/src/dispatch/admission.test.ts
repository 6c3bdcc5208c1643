import { expect, it } from 'vitest';
import { deliveryOf, settingsOf } from '../../test/deliveries.js';
import type { Delivery, Verdict } from '../delivery/delivery.js';
import { Admission, type EndpointSettings, refusalOf } from './admission.js';
import { DatabaseClock } from './database-clock.js';
import { Slots } from './slots.js';

const nowMs = Date.parse('2026-01-02T03:04:05Z');
const limits = { nowMs, maxUnknowns: 3 };

it.each<[string, Partial<Delivery>, Partial<EndpointSettings> | undefined, Verdict | undefined]>([
  ['has nothing against it', {}, undefined, undefined],
  ['is for an active endpoint', { endpointId: 'e' }, {}, undefined],
  ['is for a removed endpoint', { endpointId: 'e' }, undefined, endedAs('cancelled')],
  ['is for a paused endpoint', { endpointId: 'e' }, { active: false }, { kind: 'hold' }],
  ['was cancelled', { cancelled: true }, undefined, endedAs('cancelled')],
  ['lost one worker too many', { unknowns: 3 }, undefined, endedAs('failed')],
  ['expires in a moment', { expiresAtMs: nowMs + 1 }, undefined, undefined],
  ['has expired', { expiresAtMs: nowMs }, undefined, endedAs('expired')],
])('decides about a delivery that %s', (_, delivery, endpoint, verdict) => {
  const settings = endpoint && settingsOf(endpoint);
  expect(refusalOf(deliveryOf(delivery), settings, limits)).toEqual(verdict);
});

function endedAs(ending: 'cancelled' | 'failed' | 'expired'): Verdict {
  return { kind: 'ended', ending };
}

/** An admission of `total` slots, with what it decided, and endpoints that are told when to come. */
function openAdmission(total: number) {
  const decided: string[] = [];
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
    clock: new DatabaseClock(),
    maxUnknowns: 3,
    onAdmitted: () => decided.push('admitted'),
    onRefused: (_, { kind }) => decided.push(kind),
  });
  return { admission, decided, forgotten, answers };
}

it('admits as many as there are slots, and gives the rest back', async () => {
  const { admission, decided } = openAdmission(2);
  await admission.admit([deliveryOf(), deliveryOf(), deliveryOf()], 0);
  expect(decided).toEqual(['admitted', 'admitted', 'release']);
});

it('asks anew about an endpoint that takes nothing', async () => {
  const { admission, decided, forgotten, answers } = openAdmission(2);
  const admitted = admission.admit([deliveryOf({ endpointId: 'e' })], 0);
  answers[0]?.resolve(new Map([['e', settingsOf({ active: false })]]));
  await admitted;
  expect(decided).toEqual(['hold']);
  expect(forgotten).toEqual(['e']);
});

it('gives everything back when the endpoints cannot be read', async () => {
  const { admission, decided, answers } = openAdmission(2);
  const admitted = admission.admit([deliveryOf({ endpointId: 'e' }), deliveryOf()], 0);
  answers[0]?.reject(new Error('away'));
  await expect(admitted).rejects.toThrow('away');
  expect(decided).toEqual(['release', 'release']);
});

it('is closed when what is being looked up is given back, and admits nothing more', async () => {
  const { admission, decided, answers } = openAdmission(2);
  void admission.admit([deliveryOf({ endpointId: 'e' })], 0);
  const closed = admission.close().then(() => decided.push('closed'));
  void admission.admit([deliveryOf()], 0);
  expect(decided).toEqual(['release']);
  answers[0]?.resolve(new Map([['e', settingsOf()]]));
  await closed;
  expect(decided).toEqual(['release', 'release', 'closed']);
});

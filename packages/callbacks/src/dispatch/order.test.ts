import { describeWithPostgres } from '@posthaste/testbed/vitest';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  acceptOne,
  attemptWith,
  claim,
  delivered,
  failed,
  findFaults,
} from '../../test/live-callbacks.js';
import { useSharedStore } from '../../test/test-store.js';
import type { Delivery, Verdict } from '../delivery/delivery.js';
import { lockHeads, recordResults } from '../results/result-store.js';
import { promoteDue } from './due-store.js';

/** Steps that may happen in any order; the numbers choose among the callbacks of that moment. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('accept' as const), queue: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim' as const), limit: fc.nat(5) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('record' as const),
      which: fc.nat(),
      verdict: fc.constantFrom('delivered', 'failed', 'retry', 'release'),
      keepLease: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('comeDue' as const) }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const verdicts: Record<string, Verdict> = {
  delivered,
  failed,
  retry: { kind: 'retry', delayNs: 3_600_000_000_000n },
  release: { kind: 'release' },
};

/** Model of the queues: each one's callbacks in the order of their acceptance. */
class Model {
  readonly queues = new Map<number, string[]>();
  readonly held: Delivery[] = [];
  /**
   * Deliveries whose lease expired: a result that their worker still reports must not be written.
   */
  readonly expired: Delivery[] = [];

  accept(queue: number, id: string): void {
    this.queues.set(queue, [...(this.queues.get(queue) ?? []), id]);
  }

  /** A callback may be attempted only when it is the first of its queue. */
  claimed(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const queue = this.#queueOf(delivery.callbackId);
      expect(this.queues.get(queue)?.[0]).toBe(delivery.callbackId);
      expect(this.held.map(({ callbackId }) => callbackId)).not.toContain(delivery.callbackId);
      this.held.push(delivery);
    }
  }

  ended(id: string): void {
    const queue = this.#queueOf(id);
    expect(this.queues.get(queue)?.shift()).toBe(id);
  }

  #queueOf(id: string): number {
    for (const [queue, ids] of this.queues) if (ids.includes(id)) return queue;
    throw new Error(`${id} is delivered though it has ended`);
  }
}

describeWithPostgres('order', () => {
  const store = useSharedStore();

  const report = (delivery: Delivery, verdict: Verdict, keepLease: boolean) => {
    const attempt = verdict.kind === 'release' ? undefined : attemptWith(200);
    const results = [{ delivery, attempt, verdict, keepLease }];
    return store.db.transaction(async (tx) => {
      await lockHeads(tx, results);
      return recordResults(tx, results, 60_000);
    });
  };
  const run = async (model: Model, action: Step): Promise<void> => {
    switch (action.kind) {
      case 'accept':
        model.accept(action.queue, await acceptOne(store.db, { queue: `q${action.queue}` }));
        return;
      case 'claim':
        model.claimed(await claim(store.db, action.limit + 1));
        return;
      case 'record': {
        const known = [...model.held, ...model.expired];
        const delivery = known[action.which % Math.max(1, known.length)];
        const verdict = verdicts[action.verdict];
        if (!delivery || !verdict) return;
        const late = model.expired.includes(delivery);
        const recorded = await report(delivery, verdict, action.keepLease);
        expect(recorded).toHaveLength(late ? 0 : 1);
        if (late) return;
        model.held.splice(model.held.indexOf(delivery), 1);
        if (verdict.kind === 'ended') model.ended(delivery.callbackId);
        const next = recorded[0]?.next;
        if (next) model.claimed([next]);
        return;
      }
      case 'expire': {
        const delivery = model.held[action.which % Math.max(1, model.held.length)];
        if (!delivery) return;
        await store.db.query('update callbacks.head set due_at = now() where callback_id = $1', [
          delivery.callbackId,
        ]);
        await promoteDue(store.db, 100);
        model.held.splice(model.held.indexOf(delivery), 1);
        model.expired.push(delivery);
        return;
      }
      case 'comeDue':
        await store.db.query(
          'update callbacks.head set due_at = now() where not ready and lease_token is null',
        );
        await promoteDue(store.db, 100);
    }
  };

  it('holds in every queue, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        await store.db.query(
          'truncate callbacks.head, callbacks.waiting, callbacks.request, callbacks.history',
        );
        const model = new Model();
        for (const action of steps) await run(model, action);
        expect(await findFaults(store.db)).toEqual([]);
        for (const delivery of model.held.splice(0)) {
          await report(delivery, delivered, false);
          model.ended(delivery.callbackId);
        }
        await run(model, { kind: 'comeDue' });
        for (let due = await claim(store.db); due.length > 0; due = await claim(store.db)) {
          model.claimed(due);
          for (const delivery of model.held.splice(0)) {
            await report(delivery, delivered, false);
            model.ended(delivery.callbackId);
          }
        }
        expect([...model.queues.values()].flat()).toEqual([]);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

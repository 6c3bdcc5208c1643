import { randomUUID } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { accept } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { toFairnessKey } from '../delivery/fairness-key.js';
import { type Claim, type ClaimRequest, claimDeliveries } from './claim-store.js';

describeWithPostgres('a claim', () => {
  const store = useEmptiedStore();
  const claim = (asked: Partial<ClaimRequest> = {}): Promise<Claim> =>
    claimDeliveries(store.db, {
      holder: 'test worker',
      leaseToken: randomUUID(),
      leaseMs: 60_000,
      limit: 100,
      afterKey: '',
      origins: new Map(),
      applications: new Map(),
      fairnessKeys: new Map(),
      originDefault: 100,
      applicationDefault: 100,
      fairnessKeyDefault: 100,
      ...asked,
    });
  const fill = (count: number, host: string, application = 'a'): Promise<string[]> => {
    const callback = { url: `http://${host}/hook`, application };
    return accept(store.db, ...Array.from({ length: count }, () => callback));
  };
  const keyOf = (host: string, application = 'a'): string =>
    toFairnessKey({ origin: `http://${host}`, application, endpointId: undefined });
  const counts = ({ deliveries }: Claim): Record<string, number> => {
    const found: Record<string, number> = {};
    for (const delivery of deliveries)
      found[delivery.fairnessKey] = (found[delivery.fairnessKey] ?? 0) + 1;
    return found;
  };

  it('visits the fairness keys in turn: continues after the last one, and starts again at the first', async () => {
    for (const host of ['one', 'two', 'three']) await fill(3, host);
    const seen: string[] = [];
    let afterKey = '';
    for (let i = 0; i < 3; i++) {
      const { deliveries, nextKey } = await claim({ limit: 3, afterKey });
      seen.push(...new Set(deliveries.map((each) => each.fairnessKey)));
      afterKey = nextKey;
    }
    expect(seen).toEqual([keyOf('one'), keyOf('three'), keyOf('two')]);
    await fill(1, 'one');
    expect(counts(await claim({ afterKey }))).toEqual({ [keyOf('one')]: 1 });
  });

  it('leases what one key has, whatever key came before', async () => {
    await fill(5, 'one');
    const first = await claim({ limit: 3 });
    expect(first.nextKey).toBe(keyOf('one'));
    const second = await claim({ limit: 3, afterKey: first.nextKey });
    expect(counts(second)).toEqual({ [keyOf('one')]: 2 });
    expect(second.nextKey).toBe('');
  });

  it('divides the capacity of an origin between its keys, and leases no more than that', async () => {
    for (let i = 0; i < 10; i++) await fill(5, 'busy', `app-${i}`);
    await fill(5, 'quiet');
    const claimed = counts(await claim({ origins: new Map([['http://busy', 13]]) }));
    const { [keyOf('quiet')]: quiet, ...busy } = claimed;
    expect(quiet).toBe(5);
    expect(Object.keys(busy)).toHaveLength(10);
    expect(Object.values(busy).reduce((sum, each) => sum + each)).toBe(13);
  });

  it('serves every key in the end, however little capacity they have together', async () => {
    for (let i = 0; i < 4; i++) await fill(50, 'slow', `app-${i}`);
    for (const host of ['one', 'two', 'three']) await fill(50, host, 'busy');
    const served = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const { deliveries } = await claim({
        origins: new Map([['http://slow', 1]]),
        applications: new Map([['busy', 1]]),
      });
      expect(deliveries).toHaveLength(2);
      for (const delivery of deliveries) served.add(delivery.fairnessKey);
    }
    expect(served.size).toBe(7);
  });

  it('uses the default capacity for an origin, an application and a key without one', async () => {
    for (let i = 0; i < 4; i++) await fill(5, 'new', `app-${i}`);
    expect((await claim({ originDefault: 6 })).deliveries).toHaveLength(6);
    for (let i = 0; i < 4; i++) await fill(5, `new-${i}`, 'one');
    const { deliveries } = await claim({ originDefault: 100, applicationDefault: 7 });
    expect(deliveries.filter(({ application }) => application === 'one')).toHaveLength(7);
    await fill(5, 'newest', 'two');
    const rest = await claim({ fairnessKeyDefault: 2 });
    expect(rest.deliveries.filter(({ application }) => application === 'two')).toHaveLength(2);
  });

  it('leases nothing that has no capacity', async () => {
    await fill(5, 'closed', 'a');
    await fill(5, 'closed', 'b');
    await fill(5, 'open', 'a');
    await fill(5, 'open', 'full');
    await fill(5, 'slow', 'a');
    const claimed = await claim({
      origins: new Map([['http://closed', 0]]),
      applications: new Map([['full', 0]]),
      fairnessKeys: new Map([[keyOf('slow'), 2]]),
    });
    expect(counts(claimed)).toEqual({ [keyOf('open')]: 5, [keyOf('slow')]: 2 });
  });

  it('visits a limited number of keys, and continues after them', async () => {
    const hosts = Array.from({ length: 100 }, (_, i) => `host-${String(i).padStart(3, '0')}`);
    await accept(store.db, ...hosts.map((host) => ({ url: `http://${host}/hook` })));
    const first = await claim();
    expect(first.deliveries).toHaveLength(64);
    expect(first.nextKey).not.toBe('');
    const second = await claim({ afterKey: first.nextKey });
    expect(second.deliveries).toHaveLength(36);
  });
});

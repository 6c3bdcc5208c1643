import type { Applications } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeEach, describe, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { Policies } from './policies.js';
import { type PolicyInput, toPolicyInput, toRetryPolicy } from './policy-input.js';
import { defaultEndpointPolicy } from './retry-policy.js';

const withCode = (code: string): unknown => expect.objectContaining({ code });

describe('policies as callers write them', () => {
  it.each<PolicyInput>([
    { phases: [] },
    {
      phases: [
        { retries: 3, delayMs: 0.000001 },
        { retries: 1, delayMs: 300_000 },
      ],
    },
    {
      exponential: {
        initialDelayMs: 100,
        factor: 2,
        maxDelayMs: 1_000,
        maxRetries: 5,
        jitter: 0,
        maxAgeMs: 60_000,
      },
    },
  ])('%j is read, and written the same', (input) => {
    expect(toPolicyInput(toRetryPolicy(input))).toEqual(input);
  });

  it('keeps delays exact', () => {
    const policy = toRetryPolicy({ phases: [{ retries: 1, delayMs: 0.1 }] });
    expect(policy).toEqual({ kind: 'phases', phases: [{ retries: 1, delayNs: 100_000n }] });
  });

  it('fills in what an exponential one leaves out', () => {
    expect(toRetryPolicy({ exponential: {} })).toEqual(defaultEndpointPolicy);
    expect(toRetryPolicy({ exponential: { maxRetries: 2 } })).toEqual({
      ...defaultEndpointPolicy,
      maxRetries: 2,
    });
  });

  it.each<[PolicyInput, string]>([
    [{ phases: [{ retries: 1.5, delayMs: 1 }] }, 'retryPhases[0].retries'],
    [{ phases: [{ retries: 1, delayMs: -1 }] }, 'retryPhases[0].delay'],
    [{ phases: [{ retries: 1, delayMs: 0.0000001 }] }, 'phases[0].delayMs'],
    [{ phases: [{ retries: 1, delayMs: 1e300 }] }, 'phases[0].delayMs'],
    [{ exponential: { factor: 0.5 } }, 'policy.factor'],
    [{ exponential: { maxDelayMs: 1, initialDelayMs: 2 } }, 'policy.maxDelayMs'],
    [{ exponential: { jitter: 2 } }, 'policy.jitter'],
    [{ phases: [{ retries: 10_000, delayMs: 1e9 }] }, 'retryPhases'],
    [{ phases: Array.from({ length: 100 }, () => ({ retries: 100, delayMs: 0 })) }, 'retryPhases'],
    [{ exponential: { maxRetries: 10_000 } }, 'policy.maxRetries'],
    [{} as PolicyInput, 'policy'],
  ])('%j is refused', (input, field) => {
    const details = [expect.objectContaining({ field })];
    expect(() => toRetryPolicy(input)).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', details }),
    );
  });
});

it('takes as many attempts as the limit allows, in all phases together', () => {
  const phases = [
    { retries: 9_000, delayMs: 0 },
    { retries: 999, delayMs: 0 },
  ];
  expect(toPolicyInput(toRetryPolicy({ phases }))).toEqual({ phases });
  expect(() => toRetryPolicy({ phases }, 9_999)).toThrow(
    'retryPhases asks for 10,000 attempts in all, and the limit (POSTHASTE_MAX_ATTEMPTS) is 9,999',
  );
});

function suite(engine: 'postgres' | 'embedded'): void {
  const store = useSharedStore(engine);
  const clock = { ms: 0 };
  beforeEach(() =>
    store.db.query('truncate callbacks.policy, callbacks.application_policy cascade'),
  );
  const open = (): Policies => new Policies(store.db, { now: () => clock.ms });
  const slow: PolicyInput = { phases: [{ retries: 2, delayMs: 60_000 }] };
  const fast: PolicyInput = { phases: [{ retries: 9, delayMs: 1 }] };

  it('are stored, replaced, listed and removed', async () => {
    const policies = open();
    for (const name of ['b', 'c', 'a']) await policies.put({ application: undefined, name }, slow);
    await policies.put({ application: undefined, name: 'b' }, fast);
    const first = await policies.list({ within: 'all' }, { limit: 2 });
    expect(first.items.map(({ name, policy }) => [name, policy])).toEqual([
      ['a', slow],
      ['b', fast],
    ]);
    const second = await policies.list({ within: 'all' }, { limit: 2, cursor: first.next });
    expect(second.items.map(({ name }) => name)).toEqual(['c']);
    expect(second.next).toBeUndefined();
    await policies.remove({ application: undefined, name: 'a' });
    for (const name of ['a', '', 'a\0']) {
      await expect(policies.get({ application: undefined, name })).rejects.toEqual(
        withCode('POLICY_NOT_FOUND'),
      );
      await expect(policies.remove({ application: undefined, name })).rejects.toEqual(
        withCode('POLICY_NOT_FOUND'),
      );
      await expect(policies.resolve({ application: 'shop', name })).rejects.toEqual(
        withCode('POLICY_NOT_FOUND'),
      );
    }
  });

  it('reach other processes within five seconds, this one at once', async () => {
    const [here, elsewhere] = [open(), open()];
    await here.put({ application: undefined, name: 'p' }, slow);
    expect(await elsewhere.resolve({ application: 'shop', name: 'p' })).toEqual(
      toRetryPolicy(slow),
    );
    await here.put({ application: undefined, name: 'p' }, fast);
    expect(await here.resolve({ application: 'shop', name: 'p' })).toEqual(toRetryPolicy(fast));
    clock.ms += 4_999;
    expect(await elsewhere.resolve({ application: 'shop', name: 'p' })).toEqual(
      toRetryPolicy(slow),
    );
    clock.ms += 1;
    expect(await elsewhere.resolve({ application: 'shop', name: 'p' })).toEqual(
      toRetryPolicy(fast),
    );
  });

  it('of an application are found before shared ones of the same name, by nobody else', async () => {
    const policies = open();
    const [shop, bank] = [
      { application: 'shop', name: 'p' },
      { application: 'bank', name: 'p' },
    ];
    const shared = { application: undefined, name: 'p' };
    await policies.put(shop, fast);
    for (const key of [bank, shared]) {
      await expect(policies.get(key)).rejects.toEqual(withCode('POLICY_NOT_FOUND'));
      await expect(policies.remove(key)).rejects.toEqual(withCode('POLICY_NOT_FOUND'));
    }
    await expect(policies.resolve(bank)).rejects.toEqual(withCode('POLICY_NOT_FOUND'));
    await policies.put(shared, slow);
    expect(await policies.get(shop)).toMatchObject({ ...shop, policy: fast });
    expect(await policies.get(bank)).toMatchObject({ ...shared, policy: slow });
    expect(await policies.get(shared)).toMatchObject({ ...shared, policy: slow });
    expect(await policies.resolve(shop)).toEqual(toRetryPolicy(fast));
    expect(await policies.resolve(bank)).toEqual(toRetryPolicy(slow));
    await policies.put(shared, fast);
    expect(await policies.resolve(bank)).toEqual(toRetryPolicy(fast));
    await policies.put(shared, slow);
    // What is shared is none of its own.
    await expect(policies.remove(bank)).rejects.toEqual(withCode('POLICY_NOT_FOUND'));
    await policies.remove(shop);
    expect(await policies.resolve(shop)).toEqual(toRetryPolicy(slow));
  });

  it('are listed for applications with the shared ones, page by page', async () => {
    const policies = open();
    for (const application of ['shop', 'bank', undefined, '']) {
      for (const name of application === 'bank' ? ['b', 'c'] : ['a', 'b']) {
        await policies.put({ application, name }, slow);
      }
    }
    const list = async (within: Applications): Promise<string[]> => {
      const names: string[] = [];
      let cursor: string | undefined;
      do {
        const { items, next } = await policies.list({ within }, { limit: 2, cursor });
        names.push(...items.map(({ application, name }) => `${name} ${application ?? '-'}`));
        cursor = next;
      } while (cursor !== undefined);
      return names;
    };
    const all = ['a -', 'a ', 'a shop', 'b -', 'b ', 'b bank', 'b shop', 'c bank'];
    expect(await list('all')).toEqual(all);
    expect(await list(['shop', '', 'shop'])).toEqual(all.filter((name) => !name.includes('bank')));
    expect(await list([])).toEqual(['a -', 'b -']);
  });

  it('are refused without a proper name', async () => {
    for (const name of ['', 'a\nb', 'x'.repeat(257)]) {
      await expect(open().put({ application: undefined, name }, slow)).rejects.toEqual(
        withCode('REQUEST_INVALID'),
      );
    }
  });
}

describeWithPostgres('named policies', () => suite('postgres'));
describe('named policies in the embedded database', () => suite('embedded'));

import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { work } from '../../test/live-callbacks.js';
import { useSharedStore } from '../../test/test-store.js';
import { type Acceptance, createAcceptance } from './acceptance.js';
import { Intake } from './intake.js';

const url = 'http://example.com/hook';
const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };

describeWithPostgres('acceptance', () => {
  const store = useSharedStore();
  let intake: Intake;
  let acceptance: Acceptance;

  beforeAll(async () => {
    intake = new Intake(store.db);
    acceptance = createAcceptance({
      intake,
      rules,
      secretExists: async (_application, name) => {
        // Slow, so that what needs a secret would be overtaken if order were left to chance.
        await sleep(20);
        return name === 'known';
      },
    });
  });

  afterAll(() => intake.close());

  it('keeps the order of a queue among callbacks that are accepted together', async () => {
    const items = Array.from({ length: 600 }, (_, i) => ({
      input: { url, application: 'order', queue: 'q', ...(i % 7 === 0 ? { secret: 'known' } : {}) },
      idempotency: undefined,
    }));
    const outcomes = await acceptance.acceptAll(items);
    const ids = outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value.id);
    expect(await work(store.db)).toEqual(ids);
  });

  it('answers each of several on its own', async () => {
    const outcomes = await acceptance.acceptAll([
      { input: { url }, idempotency: undefined },
      { input: { url: 'ftp://example.com/' }, idempotency: undefined },
      { input: { url, secret: 'unknown' }, idempotency: undefined },
      {
        input: Promise.reject(new PlatformError('POLICY_NOT_FOUND', 'there is none')),
        idempotency: undefined,
      },
    ]);
    const codes = outcomes.map((outcome) =>
      outcome.status === 'rejected' ? outcome.reason.code : outcome.status,
    );
    expect(codes).toEqual([
      'fulfilled',
      'CALLBACK_INVALID',
      'SECRET_NOT_FOUND',
      'POLICY_NOT_FOUND',
    ]);
  });

  it('stores one of concurrent twins, and says which ones are repetitions', async () => {
    const claim = { key: 'twins', bodyHash: Buffer.alloc(32) };
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => acceptance.accept({ url }, claim)),
    );
    const [first] = twins;
    expect(new Set(twins.map(({ id }) => id))).toEqual(new Set([first?.id]));
    expect(twins.filter(({ repeated }) => !repeated)).toHaveLength(1);
    const later = await acceptance.accept({ url }, claim);
    expect(later).toMatchObject({ id: first?.id, createdAt: first?.createdAt, repeated: true });
  });

  it('finds twins among callbacks that are accepted together', async () => {
    const item = {
      input: { url, application: 'together' },
      idempotency: { key: 'k', bodyHash: Buffer.alloc(32, 1) },
    };
    const other = { ...item, idempotency: { key: 'k', bodyHash: Buffer.alloc(32, 2) } };
    const [first, second, third] = await acceptance.acceptAll([item, item, other]);
    expect(first).toMatchObject({ status: 'fulfilled', value: { repeated: false } });
    expect(second).toMatchObject({ status: 'fulfilled', value: { repeated: true } });
    expect(third).toMatchObject({
      status: 'rejected',
      reason: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
  });

  it('refuses everything once it is closed', async () => {
    const closed = new Intake(store.db);
    await closed.close();
    const late = createAcceptance({ intake: closed, rules, secretExists: async () => true });
    const stopping = expect.objectContaining({ code: 'STOPPING' });
    await expect(late.accept({ url })).rejects.toEqual(stopping);
    await expect(late.acceptAll([{ input: { url }, idempotency: undefined }])).rejects.toEqual(
      stopping,
    );
  });
});

import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { RecipientRegistry } from './recipient-registry.js';
import { eraseMailOfApplication } from './recipient-store.js';

describeWithPostgres('registry of recipients', () => {
  const store = useSharedStore();
  afterEach(() => store.db.query('truncate callbacks.mail_recipient'));

  /** Database that counts its statements. */
  const counting = () => {
    const counted = {
      statements: 0,
      query: ((statement, values) => {
        counted.statements += 1;
        return store.db.query(statement, values);
      }) as typeof store.db.query,
    };
    return counted;
  };
  const stored = async (): Promise<string[]> =>
    (
      await store.db.query<{ text: string }>(
        `select application || ' ' || address || ' ' || state as text
         from callbacks.mail_recipient order by 1`,
      )
    ).rows.map(({ text }) => text);

  it('stores recipients that are new together, and asks for none a second time', async () => {
    const db = counting();
    const registry = new RecipientRegistry(db);
    const nameAll = () =>
      Promise.all(
        Array.from({ length: 500 }, (_, i) =>
          registry.register({ application: 'a', address: `${i % 50}@x`, isTrusted: false }),
        ),
      );
    await nameAll();
    expect(db.statements).toBe(1);
    await nameAll();
    expect(db.statements).toBe(1);
    expect(await stored()).toHaveLength(50);
    expect(
      registry.register({ application: 'a', address: '1@X', isTrusted: false }),
    ).toBeUndefined();
    await registry.register({ application: 'b', address: '1@x', isTrusted: false });
    expect(db.statements).toBe(2);
  });

  it('stores nothing for a text that is not one address', async () => {
    const db = counting();
    const registry = new RecipientRegistry(db);
    for (const address of ['a@x, b@y', 'a@x\r\nBcc: b@y', 'b%y@x', 'nobody', '']) {
      expect(registry.register({ application: 'a', address, isTrusted: true })).toBeUndefined();
    }
    expect(db.statements).toBe(0);
  });

  it('confirms what a trusted caller names, and what is on the list', async () => {
    const registry = new RecipientRegistry(store.db, { allowed: ['*@list.example'] });
    await registry.register({ application: 'a', address: 'a@x', isTrusted: false });
    await registry.register({ application: 'a', address: 'a@list.example', isTrusted: false });
    await registry.register({ application: 'a', address: 'b@x', isTrusted: true });
    const before = ['a a@list.example confirmed', 'a a@x pending', 'a b@x confirmed'];
    expect(await stored()).toEqual(before);
    await registry.register({ application: 'a', address: 'a@x', isTrusted: true });
    await registry.register({ application: 'a', address: 'b@x', isTrusted: false });
    expect(await stored()).toEqual(before.map((text) => text.replace('pending', 'confirmed')));
  });

  it('fails those that wait, and stores them the next time, when the database refuses', async () => {
    let isDown = true;
    const registry = new RecipientRegistry({
      query: (statement, values) =>
        isDown ? Promise.reject(new Error('down')) : store.db.query(statement, values),
    });
    const name = () => registry.register({ application: 'a', address: 'a@x', isTrusted: false });
    const both = await Promise.allSettled([name(), name()]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isDown = false;
    await name();
    expect(await stored()).toEqual(['a a@x pending']);
  });

  it('erases the recipients of an application in steps', async () => {
    const registry = new RecipientRegistry(store.db);
    for (const application of ['a', 'a ', 'b']) {
      for (const address of ['a@x', 'b@x', 'c@x']) {
        await registry.register({ application, address, isTrusted: false });
      }
    }
    const erase = () => store.db.transaction((tx) => eraseMailOfApplication(tx, 'a', 2));
    expect([await erase(), await erase(), await erase()]).toEqual([2, 1, 0]);
    expect((await stored()).filter((text) => text.startsWith('a a@'))).toEqual([]);
    expect(await stored()).toHaveLength(6);
  });
});

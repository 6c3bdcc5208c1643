import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { enqueueNotices, type Mail, sendDueMail } from './mail-outbox.js';
import { planMail } from './mail-planner.js';
import {
  confirmByToken,
  findByConfirmToken,
  findByRefuseToken,
  refuseByToken,
} from './recipient-links.js';
import { RecipientRegistry } from './recipient-registry.js';
import {
  confirmMailRecipient,
  getMailRecipient,
  listMailRecipients,
  refuseMailRecipient,
} from './recipients.js';

const publicUrl = 'https://p.example';

describeWithPostgres('recipients of mails', () => {
  const store = useSharedStore();
  afterEach(() => store.db.query('truncate callbacks.mail, callbacks.mail_recipient'));

  const name = (application: string, address: string, isTrusted = false) =>
    new RecipientRegistry(store.db).register({ application, address, isTrusted });
  const notify = (application: string, recipient: string, count = 1) =>
    enqueueNotices(
      store.db,
      Array.from({ length: count }, () => ({ application, recipient, subject: 'S', body: 'B' })),
    );
  const post = async (): Promise<Mail[]> => {
    const sent: Mail[] = [];
    const mailer = { send: async (mail: Mail) => void sent.push(mail) };
    const logger = { warn: () => undefined, error: () => undefined };
    await planMail(store.db, { publicUrl, perHour: 1_000 });
    while ((await sendDueMail(store.db, mailer, { logger, publicUrl })).sent > 0);
    return sent;
  };
  const idOf = async (address: string): Promise<string> => {
    const { items } = await listMailRecipients(store.db, { within: 'all' });
    return items.find((item) => item.address === address)?.id ?? '';
  };

  it('are listed by application and state, newest first, in pages, without their tokens', async () => {
    await name('a', '1@x');
    await name('a', '2@x', true);
    await name('b', '3@x');
    const list = async (filter: Parameters<typeof listMailRecipients>[1]) =>
      (await listMailRecipients(store.db, filter)).items.map(({ address }) => address);
    expect(await list({ within: 'all' })).toEqual(['3@x', '2@x', '1@x']);
    expect(await list({ within: ['a'] })).toEqual(['2@x', '1@x']);
    expect(await list({ within: [] })).toEqual([]);
    expect(await list({ within: 'all', state: 'pending' })).toEqual(['3@x', '1@x']);
    const first = await listMailRecipients(store.db, { within: 'all' }, { limit: 2 });
    const rest = { limit: 2, cursor: first.next };
    const second = await listMailRecipients(store.db, { within: 'all' }, rest);
    expect(second).toMatchObject({ items: [{ address: '1@x' }], next: undefined });
    expect(JSON.stringify(first)).not.toMatch(/token|hash|mailbox/i);
  });

  it('are decided by an operator, within the applications of the operator only', async () => {
    await name('a', '1@x');
    await notify('a', '1@x');
    await post();
    const id = await idOf('1@x');
    for (const decide of [confirmMailRecipient, refuseMailRecipient]) {
      for (const [wrongId, within] of [
        [id, ['b']],
        ['no id', 'all'],
        ['019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11', 'all'],
      ] as const) {
        await expect(decide(store.db, wrongId, within)).rejects.toMatchObject({
          code: 'MAIL_RECIPIENT_NOT_FOUND',
        });
      }
    }
    await confirmMailRecipient(store.db, id, ['a']);
    await confirmMailRecipient(store.db, id, ['a']);
    expect(await post()).toHaveLength(1);
    await refuseMailRecipient(store.db, id, 'all');
    await notify('a', '1@x');
    expect(await post()).toEqual([]);
    // An operator may change an operator's mind.
    await confirmMailRecipient(store.db, id, 'all');
    expect(await getMailRecipient(store.db, id, 'all')).toMatchObject({
      state: 'confirmed',
      decidedBy: 'operator',
      dropped: 1,
    });
  });

  it('stay refused when the person has refused, whatever an operator does', async () => {
    await name('a', '1@x', true);
    await notify('a', '1@x');
    const [mail] = await post();
    const token = new URL(mail?.unsubscribeUrl ?? '').searchParams.get('token') ?? '';
    // Following the link changes nothing.
    expect(await findByRefuseToken(store.db, token)).toEqual({ application: 'a', address: '1@x' });
    expect(await getMailRecipient(store.db, await idOf('1@x'), 'all')).toMatchObject({
      state: 'confirmed',
    });
    await refuseByToken(store.db, token);
    await refuseMailRecipient(store.db, await idOf('1@x'), 'all');
    await expect(confirmMailRecipient(store.db, await idOf('1@x'), 'all')).rejects.toMatchObject({
      code: 'MAIL_RECIPIENT_REFUSED',
    });
  });

  it('confirm by a link that lasts a week, of which only the hash is stored', async () => {
    await name('a', '1@x');
    const [mail] = await post();
    const token = /confirm\?token=(\S+)/.exec(mail?.body ?? '')?.[1] ?? '';
    const { rows } = await store.db.query('select r::text as text from callbacks.mail_recipient r');
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(await findByConfirmToken(store.db, token)).toEqual({ application: 'a', address: '1@x' });
    await store.db.query(`update callbacks.mail_recipient
      set confirmation_sent_at = now() - interval '7 days 1 second'`);
    expect(await findByConfirmToken(store.db, token)).toBeUndefined();
    expect(await confirmByToken(store.db, token)).toBeUndefined();
  });

  it('get no more than their limit when several processes plan at once', async () => {
    await name('a', '1@x', true);
    await notify('a', '1@x', 9);
    for (let i = 0; i < 10; i += 1) await notify('a', '1@x', 5);
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        Array.from({ length: 6 }, () => planMail(store.db, { perHour: 7, limit: 20 })),
      );
    }
    const { rows } = await store.db.query(
      'select stage, count(*)::int as mails from callbacks.mail group by 1',
    );
    expect(rows).toEqual([{ stage: 'due', mails: 7 }]);
    expect(await getMailRecipient(store.db, await idOf('1@x'), 'all')).toMatchObject({
      suppressed: 52,
    });
  });

  it('lose no mail when they confirm while mails are planned', async () => {
    const addresses = Array.from({ length: 20 }, (_, i) => `${i}@x`);
    for (const address of addresses) await name('a', address);
    const tokens = (await post()).map(({ body }) => /confirm\?token=(\S+)/.exec(body)?.[1] ?? '');
    expect(tokens).toHaveLength(20);
    const planning = (async () => {
      for (let round = 0; round < 5; round += 1) {
        for (const address of addresses) await notify('a', address);
        await planMail(store.db, { perHour: 1_000 });
      }
    })();
    for (const token of tokens) await confirmByToken(store.db, token);
    await planning;
    expect(await post()).toHaveLength(100);
    const { rows } = await store.db.query('select stage from callbacks.mail');
    expect(rows).toEqual([]);
  });
});

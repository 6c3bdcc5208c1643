import { backoffMs } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import type { Notice } from './failure-mail.js';
import {
  enqueueNotices,
  type Mail,
  type Mailer,
  type MailOptions,
  mailBackoff,
  sendDueMail,
} from './mail-outbox.js';
import { planMail } from './mail-planner.js';

const notice = (recipient = 'a@example.com'): Notice => ({
  application: 'shop',
  recipient,
  subject: 'Subject',
  body: 'Body',
});

describeWithPostgres('mail outbox', () => {
  const store = useSharedStore();
  afterEach(() => store.db.query('truncate callbacks.mail, callbacks.mail_recipient'));

  const lines: [string, object, string][] = [];
  afterEach(() => lines.splice(0));
  const options = (more: Partial<MailOptions> = {}): MailOptions => ({
    logger: {
      warn: (fields, message) => lines.push(['warn', fields, message]),
      error: (fields, message) => lines.push(['error', fields, message]),
    },
    ...more,
  });
  /** Collects the mails that are sent. The first `failures` calls fail. */
  const mailer = (failures = 0): Mailer & { readonly sent: Mail[] } => {
    const sent: Mail[] = [];
    let left = failures;
    return {
      sent,
      send: async (mail) => {
        if (left-- > 0) throw new Error('421 try later');
        sent.push(mail);
      },
    };
  };
  /** Puts notices into the outbox and makes them due. */
  const enqueue = async (...recipients: string[]): Promise<void> => {
    await enqueueNotices(store.db, recipients.map(notice));
    await planMail(store.db, { allowed: ['*@example.com'] });
  };
  const makeDue = (): Promise<unknown> =>
    store.db.query('update callbacks.mail set due_at = now()');
  const waiting = async (): Promise<unknown[]> =>
    (await store.db.query('select recipient, attempts from callbacks.mail')).rows;

  it('sends mails once their transaction is committed, each once', async () => {
    await store.db.transaction((tx) =>
      enqueueNotices(tx, [notice('a@example.com'), notice('b@example.com')]),
    );
    await planMail(store.db, { allowed: ['*@example.com'] });
    const post = mailer();
    expect(await sendDueMail(store.db, post, options())).toEqual({
      sent: 2,
      failed: 0,
      givenUp: 0,
    });
    expect(post.sent.map(({ recipient }) => recipient).sort()).toEqual([
      'a@example.com',
      'b@example.com',
    ]);
    expect(post.sent[0]).toEqual({
      recipient: expect.any(String),
      subject: 'Subject',
      body: 'Body',
    });
    expect(await sendDueMail(store.db, post, options())).toEqual({
      sent: 0,
      failed: 0,
      givenUp: 0,
    });
  });

  it('drops the mails of a transaction that is rolled back', async () => {
    const rolledBack = store.db.transaction(async (tx) => {
      await enqueueNotices(tx, [notice()]);
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect(await waiting()).toEqual([]);
  });

  it('leaves out recipients that are not one address', async () => {
    const recipients = ['a@b, c@d', 'a@b\r\nBcc: c@d', 'Name <a@b>', '', 'nobody', 'a@b'];
    expect(await enqueueNotices(store.db, recipients.map(notice))).toBe(1);
    expect(await waiting()).toMatchObject([{ recipient: 'a@b' }]);
  });

  it('tries again with increasing waits, and logs a warning', async () => {
    await enqueue('a@example.com');
    const post = mailer(2);
    expect(await sendDueMail(store.db, post, options())).toMatchObject({ failed: 1 });
    expect(await sendDueMail(store.db, post, options())).toMatchObject({ sent: 0, failed: 0 });
    await makeDue();
    await sendDueMail(store.db, post, options());
    await makeDue();
    expect(await sendDueMail(store.db, post, options())).toMatchObject({ sent: 1 });
    expect(lines.map(([level]) => level)).toEqual(['warn', 'warn']);
    const ceiling = (failures: number): number => backoffMs(failures, mailBackoff(60_000), 1);
    expect([1, 2, 3, 30].map(ceiling)).toEqual([60_000, 120_000, 240_000, 21_600_000]);
  });

  it('waits for the given time after the first failure', async () => {
    await enqueue('a@example.com');
    await sendDueMail(store.db, mailer(1), options({ firstBackoffMs: 1 }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await sendDueMail(store.db, mailer(), options())).toMatchObject({ sent: 1 });
  });

  it('gives up after the last attempt, and logs an error', async () => {
    await enqueue('a@example.com');
    const post = mailer(9);
    await sendDueMail(store.db, post, options({ maxAttempts: 2 }));
    await makeDue();
    expect(await sendDueMail(store.db, post, options({ maxAttempts: 2 }))).toMatchObject({
      givenUp: 1,
    });
    expect(lines.at(-1)).toMatchObject(['error', { subject: 'Subject', attempts: 2 }, /given up/]);
    expect(await waiting()).toEqual([]);
  });

  it('counts a mailer that hangs as failed', async () => {
    await enqueue('a@example.com');
    const hanging = { send: () => new Promise<void>(() => undefined) };
    expect(await sendDueMail(store.db, hanging, options({ sendTimeoutMs: 20 }))).toMatchObject({
      failed: 1,
    });
    expect(lines).toMatchObject([
      ['warn', { error: { message: 'not sent within 20 ms' } }, /later/],
    ]);
  });

  it('shares mails among workers, each sent once', async () => {
    await enqueue(...Array.from({ length: 30 }, (_, i) => `${i}@example.com`));
    const post = mailer();
    await Promise.all(
      Array.from({ length: 6 }, () => sendDueMail(store.db, post, options({ limit: 6 }))),
    );
    await sendDueMail(store.db, post, options({ limit: 30 }));
    expect(new Set(post.sent.map(({ recipient }) => recipient)).size).toBe(30);
    expect(post.sent).toHaveLength(30);
  });

  it('sends a mail later when its sender stopped before it was sent', async () => {
    await enqueue('a@example.com');
    const dying = { send: () => new Promise<void>(() => undefined) };
    void sendDueMail(store.db, dying, options()).catch(() => undefined);
    await expect.poll(waiting).toMatchObject([{ attempts: 1 }]);
    expect(await sendDueMail(store.db, mailer(), options())).toMatchObject({ sent: 0 });
    await makeDue();
    expect(await sendDueMail(store.db, mailer(), options())).toMatchObject({ sent: 1 });
  });

  it('keeps few texts of one recipient and transaction, and counts the others', async () => {
    const many = Array.from({ length: 500 }, () => notice('A@EXAMPLE.com'));
    expect(await enqueueNotices(store.db, [...many, notice('b@example.com')])).toBe(501);
    const { rows } = await store.db.query(
      `select recipient, count(*)::int as rows, sum(notices)::int as notices
       from callbacks.mail group by recipient order by 1`,
    );
    expect(rows).toEqual([
      { recipient: 'A@example.com', rows: 11, notices: 500 },
      { recipient: 'b@example.com', rows: 1, notices: 1 },
    ]);
  });

  it('has a link to refuse further mails, in the text and for mail programs', async () => {
    await enqueue('a@example.com');
    const post = mailer();
    await sendDueMail(store.db, post, options({ publicUrl: 'https://p.example' }));
    const [sent] = post.sent;
    expect(sent?.unsubscribeUrl).toMatch(
      /^https:\/\/p\.example\/v1\/mail-recipients\/refuse\?token=[0-9a-f]{64}$/,
    );
    expect(sent?.body).toBe(`Body\n\nTo get no more of these mails:\n${sent?.unsubscribeUrl}`);
  });

  it('replaces the subject of mails of workers of the version before', async () => {
    await store.db.query(
      `insert into callbacks.mail (id, recipient, subject, body)
       values (gen_random_uuid(), 'a@example.com', 'Callback of http://evil.example failed', 'Body')`,
    );
    const post = mailer();
    await sendDueMail(store.db, post, options());
    expect(post.sent.map(({ subject }) => subject)).toEqual([
      'Posthaste: a callback failed, or an endpoint was disabled',
    ]);
  });
});

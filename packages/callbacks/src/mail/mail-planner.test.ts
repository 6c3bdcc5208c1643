import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, describe, expect, it } from 'vitest';
import { useSharedStore } from '../../test/test-store.js';
import { enqueueNotices, type Mail, sendDueMail } from './mail-outbox.js';
import { forgetUnconfirmedRecipients, type MailPlanOptions, planMail } from './mail-planner.js';
import { confirmByToken, refuseByToken } from './recipient-links.js';
import { RecipientRegistry } from './recipient-registry.js';
import { maxPendingRecipients } from './recipient-store.js';
import { listMailRecipients } from './recipients.js';

const publicUrl = 'https://p.example';
const silent = { warn: () => undefined, error: () => undefined };
const day = 24 * 3_600_000;

/** Token of a link in a text. */
const tokenIn = (text = '', link = 'confirm'): string =>
  new RegExp(`/${link}\\?token=(\\S+)`).exec(text)?.[1] ?? '';

describe.each(['postgres', 'embedded'] as const)('mails on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('to recipients', () => {
    const store = useSharedStore(engine);
    afterEach(() => store.db.query('truncate callbacks.mail, callbacks.mail_recipient'));

    const name = (address: string, isTrusted = false, application = 'shop') =>
      new RecipientRegistry(store.db).register({ application, address, isTrusted });
    const fail = async (count: number, recipient = 'a@x.example', application = 'shop') => {
      for (let i = 0; i < count; i += 1) {
        const notice = { application, recipient, subject: 'S', body: `failure ${i}` };
        await enqueueNotices(store.db, [notice]);
      }
    };
    /** Plans and sends all that is due; returns the mails. */
    const post = async (options: Partial<MailPlanOptions> = {}): Promise<Mail[]> => {
      const sent: Mail[] = [];
      const mailer = { send: async (mail: Mail) => void sent.push(mail) };
      await planMail(store.db, { publicUrl, ...options });
      while ((await sendDueMail(store.db, mailer, { logger: silent, publicUrl })).sent > 0);
      // Mails of one call are sent in any order.
      return sent.sort((a, b) => (a.body < b.body ? -1 : 1));
    };
    const recipients = async () => (await listMailRecipients(store.db, { within: 'all' })).items;
    /** Moves the times of recipients, and of mails that wait, into the past. */
    const age = async (ms: number): Promise<void> => {
      const past = (column: string) => `${column} = ${column} - ${ms} * interval '1 ms'`;
      await store.db.query(`update callbacks.mail_recipient set ${past('window_started_at')},
        ${past('confirmation_sent_at')}, ${past('confirmation_due_at')}, ${past('updated_at')}`);
      await store.db.query(`update callbacks.mail set ${past('created_at')}`);
    };

    it('ask once for a confirmation, wait for it, and are sent after it', async () => {
      await name('A@X.example');
      const [asked, ...others] = await post();
      expect(others).toEqual([]);
      expect(asked).toMatchObject({ recipient: 'A@x.example', subject: /^Posthaste: confirm/ });
      await fail(2, 'A@X.EXAMPLE');
      expect(await post()).toEqual([]);
      expect(await recipients()).toMatchObject([{ state: 'pending', held: 2, confirmations: 1 }]);

      expect(await confirmByToken(store.db, 'wrong')).toBeUndefined();
      expect(await confirmByToken(store.db, tokenIn(asked?.body))).toMatchObject({
        application: 'shop',
      });
      expect((await post()).map(({ body }) => body.slice(0, 9))).toEqual([
        'failure 0',
        'failure 1',
      ]);
      // The link works once; what it decided stays.
      expect(await confirmByToken(store.db, tokenIn(asked?.body))).toBeUndefined();
      expect(await recipients()).toMatchObject([{ state: 'confirmed', decidedBy: 'recipient' }]);
    });

    it('are dropped when the person refuses, for ever', async () => {
      await name('a@x.example');
      const [asked] = await post();
      await fail(3);
      await post();
      await refuseByToken(store.db, tokenIn(asked?.body, 'refuse'));
      expect(await confirmByToken(store.db, tokenIn(asked?.body))).toBeUndefined();
      await fail(2);
      await name('a@x.example', true);
      expect(await post()).toEqual([]);
      expect(await recipients()).toMatchObject([
        { state: 'refused', decidedBy: 'recipient', held: 0, suppressed: 0, dropped: 5 },
      ]);
    });

    it('are not asked for in the name of another application after a refusal', async () => {
      await name('a@x.example');
      const [asked] = await post();
      await refuseByToken(store.db, tokenIn(asked?.body, 'refuse'));
      await name('A+1@x.example', false, 'other');
      await age(2 * day);
      expect(await post()).toEqual([]);
    });

    it('need no confirmation where a trusted caller names the address', async () => {
      await name('a@x.example', true);
      await fail(1);
      expect(await post()).toHaveLength(1);
      // For this application only.
      await fail(1, 'a@x.example', 'other');
      expect((await post()).map(({ subject }) => subject)).toEqual([
        expect.stringMatching(/confirm/),
      ]);
      // A trusted caller that names it later confirms it, too.
      await name('a@x.example', true, 'other');
      expect((await post()).map(({ body }) => body.slice(0, 9))).toEqual(['failure 0']);
    });

    it('need no confirmation where the address is on the list', async () => {
      await fail(1);
      expect(await post({ allowed: ['*@x.example'] })).toMatchObject([{ subject: 'S' }]);
    });

    it('are limited in an hour, and summed up in one mail afterwards', async () => {
      await name('a@x.example', true);
      await fail(5);
      expect(await post({ perHour: 3 })).toHaveLength(3);
      await fail(4);
      expect(await post({ perHour: 3 })).toEqual([]);
      await age(3_600_000);
      // Failures go on: they begin the next hour, and do not hide the summary.
      await fail(1);
      const sent = await post({ perHour: 3 });
      expect(sent.map(({ subject }) => subject)).toEqual(['Posthaste: more callbacks failed', 'S']);
      expect(sent[0]?.body).toMatch(/^6 more callbacks failed/);
      expect(await recipients()).toMatchObject([{ suppressed: 0, dropped: 0 }]);
    });

    it('wait in a bounded number, for a bounded time, and are counted beyond that', async () => {
      await name('a@x.example');
      await fail(25);
      const [asked] = await post();
      expect(await recipients()).toMatchObject([{ held: 20, suppressed: 5 }]);
      await age(6.5 * day);
      await post();
      expect(await recipients()).toMatchObject([{ held: 20 }]);
      // Expired mails are counted, and the link is still valid.
      await post({ maxHeldMs: day });
      expect(await recipients()).toMatchObject([{ held: 0, suppressed: 25 }]);
      await confirmByToken(store.db, tokenIn(asked?.body));
      expect((await post()).map(({ body }) => body)).toEqual([
        expect.stringMatching(/^25 more callbacks failed/),
      ]);
    });

    it('ask again when the link has expired and mails wait, three times in all', async () => {
      await name('a@x.example');
      const links: string[] = [];
      for (let week = 0; week < 6; week += 1) {
        await fail(1);
        for (const { body } of [...(await post()), ...(await post())]) links.push(tokenIn(body));
        await age(7.5 * day);
      }
      expect(links).toHaveLength(3);
      expect(await confirmByToken(store.db, links[0] ?? '')).toBeUndefined();
    });

    it('ask nobody without a public URL, and say so', async () => {
      await name('a@x.example');
      await fail(1);
      const without = await planMail(store.db, {});
      expect(without).toMatchObject({ unaskable: true, due: 0 });
      expect(await recipients()).toMatchObject([{ state: 'pending', confirmations: 0, held: 1 }]);
      expect(await post()).toMatchObject([{ subject: /confirm/ }]);
    });

    it('count spellings of one mailbox together', async () => {
      const spellings = ['victim@x.example', 'Victim@x.example', 'victim+1@x.example'];
      for (const address of spellings) await name(address);
      for (const application of ['b', 'c', 'd'])
        await name('victim+2@x.example', false, application);
      expect(await post()).toHaveLength(1);
      expect(await post()).toEqual([]);
    });

    it('ask for one application twenty times in an hour, and for others too', async () => {
      for (let i = 0; i < 30; i += 1) await name(`${i}@x.example`);
      await name('a@y.example', false, 'other');
      const sent = [...(await post()), ...(await post())];
      expect(sent.filter(({ recipient }) => recipient.endsWith('@x.example'))).toHaveLength(20);
      expect(sent).toHaveLength(21);
    });

    it('store a bounded number of unconfirmed recipients of an application', async () => {
      const registry = new RecipientRegistry(store.db);
      const many = Array.from({ length: maxPendingRecipients + 50 }, (_, i) =>
        registry.register({ application: 'shop', address: `${i}@x.example`, isTrusted: false }),
      );
      await Promise.all(many);
      await name('late@x.example');
      await name('late@x.example', false, 'other');
      await name('trusted@x.example', true);
      const { rows } = await store.db.query(
        `select application, state, count(*)::int as n from callbacks.mail_recipient
         group by 1, 2 order by 1, 2`,
      );
      expect(rows).toEqual([
        { application: 'other', state: 'pending', n: 1 },
        { application: 'shop', state: 'confirmed', n: 1 },
        { application: 'shop', state: 'pending', n: maxPendingRecipients },
      ]);
      await fail(2, 'late@x.example');
      expect(await planMail(store.db, {})).toMatchObject({ due: 0, dropped: 2 });
      expect(await forgetUnconfirmedRecipients(store.db)).toBe(0);
      await age(91 * day);
      expect(await forgetUnconfirmedRecipients(store.db, 10)).toBe(10);
    });
  });
});

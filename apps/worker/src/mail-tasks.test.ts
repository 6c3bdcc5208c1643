import { callbacksMigrations, RecipientRegistry } from '@posthaste/callbacks';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase, type SmtpSink, startSmtpSink } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mailTasks } from './mail-tasks.js';
import { createMailer } from './mailer.js';

describeWithPostgres('the tasks of mails', () => {
  let db: Database;
  let sink: SmtpSink;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const { url, drop } = await createTestDatabase();
    db = await openPostgres({ url, maxConnections: 2 });
    await migrate(db, [callbacksMigrations]);
    sink = await startSmtpSink();
    close = async () => {
      await Promise.all([db.close(), sink.close()]);
      await drop();
    };
  });
  afterAll(() => close());

  it('say once that nobody can be asked, and ask as soon as there is a public URL', async () => {
    const lines: string[] = [];
    const log = (_fields: object, message: string) => void lines.push(message);
    const logger = { warn: log, error: log };
    const mailer = createMailer(sink.url, 'Posthaste <posthaste@localhost>');
    const options = { maxMailsPerRecipient: 30, mailRecipients: [] };
    const runAll = async (publicUrl?: string): Promise<void> => {
      const tasks = mailTasks({ db, mailer, logger }, { ...options, publicUrl });
      for (const task of [...tasks, ...tasks]) await task.run();
    };
    const named = { application: 'shop', address: 'a@x.example', isTrusted: false };
    await new RecipientRegistry(db).register(named);

    await runAll();
    expect(lines).toEqual([expect.stringContaining('POSTHASTE_PUBLIC_URL is not set')]);
    expect(sink.mails).toEqual([]);
    await runAll('https://p.example');
    mailer.close();
    expect(lines).toHaveLength(1);
    expect(sink.mails).toMatchObject([{ to: ['a@x.example'] }]);
    const [mail] = sink.mails;
    const link = /https:\/\/p\.example\/v1\/mail-recipients\/confirm\?token=[\w-]{43}/;
    expect(mail?.text.replaceAll(/\s+/g, ' ')).toMatch(link);
    expect(mail?.headers.get('list-unsubscribe')).toMatch(/^<https:\/\/p\.example\/\S+>$/);
    expect(mail?.raw.toString()).not.toContain('shop');
  });
});

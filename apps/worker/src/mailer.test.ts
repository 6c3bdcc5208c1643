import { type SmtpSink, startSmtpSink } from '@posthaste/testbed';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createMailer, type SmtpMailer } from './mailer.js';

let sink: SmtpSink;
let mailer: SmtpMailer;

beforeAll(async () => {
  sink = await startSmtpSink();
  mailer = createMailer(sink.url, 'Posthaste <posthaste@localhost>');
});
afterAll(async () => {
  mailer.close();
  await sink.close();
});

it('sends a mail with a link at which mail programs refuse further ones', async () => {
  const unsubscribeUrl = `https://p.example/v1/mail-recipients/refuse?token=${'a'.repeat(64)}`;
  const mail = { recipient: 'a+b@x.example', subject: 'Subject', body: 'Body' };
  await mailer.send({ ...mail, unsubscribeUrl });
  await mailer.send(mail);
  const [first, second] = await sink.waitFor(2);
  expect(first).toMatchObject({ to: ['a+b@x.example'], subject: 'Subject' });
  expect(first?.headers.get('list-unsubscribe')).toBe(`<${unsubscribeUrl}>`);
  expect(first?.headers.get('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
  expect(first?.headers.get('auto-submitted')).toBe('auto-generated');
  expect(second?.headers.has('list-unsubscribe')).toBe(false);
});

it('sends to one recipient whatever the text is', async () => {
  const before = sink.mails.length;
  for (const recipient of ['a@x.example, b@y.example', 'Name <c@z.example>', 'a@x\r\nBcc: d@z']) {
    await mailer.send({ recipient, subject: 'Subject', body: 'Body' }).catch(() => undefined);
  }
  for (const mail of sink.mails.slice(before)) {
    expect(mail.to.length).toBeLessThanOrEqual(1);
    expect(mail.headers.has('bcc')).toBe(false);
    expect(mail.raw.toString()).not.toMatch(/^Bcc:/im);
  }
});

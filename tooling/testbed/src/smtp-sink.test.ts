import nodemailer from 'nodemailer';
import { afterEach, describe, expect, it } from 'vitest';
import { type SmtpSink, startSmtpSink } from './smtp-sink.js';

const open: SmtpSink[] = [];

async function start(...args: Parameters<typeof startSmtpSink>): Promise<SmtpSink> {
  const sink = await startSmtpSink(...args);
  open.push(sink);
  return sink;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

const mail = {
  from: 'Posthaste <from@example.com>',
  to: 'a@example.com',
  subject: 'Zustellung fehlgeschlagen: Überprüfung',
  text: 'Grüße,\n.\nand a long line '.padEnd(300, 'x'),
};

/** Sends one mail on a new connection. */
async function send(url: string, options: object = {}): Promise<unknown> {
  const parts = new URL(url);
  const transport = nodemailer.createTransport({
    host: parts.hostname,
    port: Number(parts.port),
    secure: parts.protocol === 'smtps:',
    socketTimeout: 300,
    ...options,
  });
  return transport.sendMail(mail);
}

describe('startSmtpSink', () => {
  it('keeps envelope, subject, decoded text and headers', async () => {
    const sink = await start();
    await send(sink.url);
    const [received] = await sink.waitFor(1);
    expect(received).toMatchObject({
      from: 'from@example.com',
      to: ['a@example.com'],
      subject: mail.subject,
      html: '',
    });
    expect(received?.text.trimEnd()).toBe(mail.text);
    expect(received?.headers.get('from')).toContain('Posthaste');
    expect(received?.raw.toString()).toContain('Message-ID');
  });

  it('refuses temporarily, then permanently, then accepts', async () => {
    const sink = await start([
      { kind: 'refuse', code: 451 },
      { kind: 'refuse', code: 550, at: 'recipient' },
      { kind: 'accept' },
    ]);
    await expect(send(sink.url)).rejects.toMatchObject({ responseCode: 451, command: 'DATA' });
    await expect(send(sink.url)).rejects.toMatchObject({ responseCode: 550, command: 'RCPT TO' });
    await send(sink.url);
    expect([sink.attempts, sink.mails.length]).toEqual([3, 1]);
  });

  it('hangs and drops, and follows other behaviours afterwards', async () => {
    const sink = await start([{ kind: 'hang' }, { kind: 'drop' }]);
    await expect(send(sink.url)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    await expect(send(sink.url)).rejects.toThrow(/closed|ECONNRESET/);
    expect(sink.mails).toEqual([]);
    sink.follow([{ kind: 'accept' }]);
    await send(sink.url);
    await sink.waitFor(1);
  });

  it.each(['implicit', 'starttls'] as const)(
    'encrypts (%s) with the test certificate',
    async (tls) => {
      const sink = await start([], { tls });
      const requireTLS = tls === 'starttls';
      await expect(send(sink.url, { requireTLS })).rejects.toThrow(/self.signed/);
      await send(sink.url, { requireTLS, tls: { ca: sink.certificate } });
      expect(await sink.waitFor(1)).toHaveLength(1);
    },
  );

  it('requires credentials if it has some', async () => {
    const sink = await start([], { auth: { user: 'u', password: 'p' } });
    await expect(send(sink.url)).rejects.toMatchObject({ responseCode: 530 });
    const wrong = send(sink.url, { auth: { user: 'u', pass: 'x' } });
    await expect(wrong).rejects.toMatchObject({ code: 'EAUTH' });
    await send(sink.url, { auth: { user: 'u', pass: 'p' } });
    expect(await sink.waitFor(1)).toHaveLength(1);
  });

  it('reports the number of mails when a wait times out', async () => {
    const sink = await start();
    await expect(sink.waitFor(1, 20)).rejects.toThrow('0 mails arrived');
  });

  it('closes at once during a mail, twice', async () => {
    const sink = await start([{ kind: 'hang' }]);
    const failed = expect(send(sink.url, { socketTimeout: 10_000 })).rejects.toThrow();
    await expect.poll(() => sink.attempts).toBe(1);
    const before = performance.now();
    await sink.close();
    await sink.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    await failed;
  });
});

import type { Transporter } from 'nodemailer';

/** One mail to be handed in. */
export interface OutgoingMail {
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
}

/** Hands mails in over SMTP. */
export interface SmtpMailer {
  /** @throws Error when the server did not take it */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

const timeoutMs = 20_000;

/** @param url `smtp://` or `smtps://`, with user and password where the server wants them */
export function createMailer(url: string, from: string): SmtpMailer {
  let transport: Promise<Transporter> | undefined;
  return {
    async send({ recipient, subject, body }) {
      transport ??= openTransport(url, from);
      await (await transport).sendMail({ to: recipient, subject, text: body });
    },
    close: () => {
      transport?.then((opened) => opened.close()).catch(() => undefined);
    },
  };
}

/** nodemailer is only loaded where there is something to send: it is 3 MB in memory. */
async function openTransport(url: string, from: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  return createTransport(
    {
      url,
      disableFileAccess: true,
      disableUrlAccess: true,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
    },
    { from },
  );
}

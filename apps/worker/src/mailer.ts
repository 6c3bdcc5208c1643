import type { Transporter } from 'nodemailer';

/** Mail to send. */
export interface OutgoingMail {
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  /** URL at which the recipient refuses further mails by one POST (RFC 8058). */
  readonly unsubscribeUrl?: string | undefined;
}

/** Sender of mails over SMTP. */
export interface SmtpMailer {
  /** Sends a mail. @throws Error when the server does not accept it */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

/** Time-out of the connection, of the greeting, and of a server that sends nothing, in ms each. */
const timeoutMs = 20_000;

/**
 * Creates a mailer that connects when the first mail is sent.
 * @param url `smtp://` or `smtps://`, with user and password if the server needs them
 */
export function createMailer(url: string, from: string): SmtpMailer {
  let transport: Promise<Transporter> | undefined;
  return {
    async send({ recipient, subject, body, unsubscribeUrl }) {
      transport ??= openTransport(url, from);
      await (await transport).sendMail({
        // As an object: a text is parsed, and could become several addresses.
        to: { name: '', address: recipient },
        subject,
        text: body,
        headers: { 'Auto-Submitted': 'auto-generated', ...toUnsubscribeHeaders(unsubscribeUrl) },
      });
    },
    close: () => {
      transport?.then((opened) => opened.close()).catch(() => undefined);
    },
  };
}

function toUnsubscribeHeaders(url: string | undefined): Record<string, string> {
  if (url === undefined) return {};
  return {
    'List-Unsubscribe': `<${url}>`,
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  };
}

/** Loads nodemailer only when there is a mail to send, because it takes 3 MB of memory. */
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

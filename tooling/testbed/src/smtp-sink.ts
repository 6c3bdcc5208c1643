import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import PostalMime from 'postal-mime';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { Condition } from './condition.js';
import { readTestCertificate } from './test-certificate.js';

const maxMails = 10_000;
const defaultWaitMs = 20_000;

/** An accepted mail. */
export interface ReceivedMail {
  /** Sender of the envelope. */
  readonly from: string;
  /** Recipients of the envelope. */
  readonly to: readonly string[];
  readonly subject: string;
  /** Decoded text body, or an empty string. */
  readonly text: string;
  /** Decoded HTML body, or an empty string. */
  readonly html: string;
  /** Headers by name in lower case. If a name occurs twice, the last one. */
  readonly headers: ReadonlyMap<string, string>;
  /** The mail as it was received. */
  readonly raw: Buffer;
}

/** Behaviour of the sink for one mail. */
export type SmtpBehaviour =
  | { readonly kind: 'accept' }
  /** Refuses temporarily (4xx) or permanently (5xx): a recipient, or the whole message (default). */
  | { readonly kind: 'refuse'; readonly code: number; readonly at?: 'recipient' | 'message' }
  /** Receives the message and never responds. */
  | { readonly kind: 'hang' }
  /** Receives the message and resets the connection. */
  | { readonly kind: 'drop' };

/** Options of `startSmtpSink`. */
export interface SmtpSinkOptions {
  /** Port to listen on. Default: a free one. */
  readonly port?: number;
  /** TLS from the start or by STARTTLS, with the test certificate. Default: no TLS. */
  readonly tls?: 'implicit' | 'starttls';
  /** Credentials that a client must give. Default: none. */
  readonly auth?: { readonly user: string; readonly password: string };
}

/**
 * Starts an SMTP server on 127.0.0.1 that keeps the mails. The n-th behaviour is for the n-th mail, and
 * the last one for all later mails. Default: all mails are accepted.
 */
export async function startSmtpSink(
  behaviours: readonly SmtpBehaviour[] = [],
  options: SmtpSinkOptions = {},
): Promise<SmtpSink> {
  const certificate = options.tls === undefined ? undefined : await readTestCertificate();
  const sink = new SmtpSink(behaviours, options, certificate);
  await sink.listen(options.port ?? 0);
  return sink;
}

/** A running SMTP sink. */
export class SmtpSink {
  /** Certificate (PEM) that the client must trust; undefined without TLS. */
  readonly certificate: string | undefined;
  readonly #server: SMTPServer;
  readonly #scheme: 'smtp' | 'smtps';
  readonly #condition = new Condition();
  readonly #sockets = new Map<number, Socket>();
  /** Behaviour for the mail that a session is sending. */
  readonly #decided = new WeakMap<SMTPServerSession, SmtpBehaviour>();
  #behaviours: readonly SmtpBehaviour[];
  #port = 0;
  #attempts = 0;
  #mails: ReceivedMail[] = [];

  /** Use `startSmtpSink`. */
  constructor(
    behaviours: readonly SmtpBehaviour[],
    { tls, auth }: SmtpSinkOptions,
    certificate: { readonly cert: string; readonly key: string } | undefined,
  ) {
    this.#behaviours = behaviours;
    this.certificate = certificate?.cert;
    this.#scheme = tls === 'implicit' ? 'smtps' : 'smtp';
    this.#server = new SMTPServer({
      ...certificate,
      secure: tls === 'implicit',
      disabledCommands: [...(tls === 'starttls' ? [] : ['STARTTLS']), ...(auth ? [] : ['AUTH'])],
      allowInsecureAuth: true,
      disableReverseLookup: true,
      socketTimeout: 600_000,
      closeTimeout: 100,
      onAuth: ({ username, password }, _session, done) => {
        const good = username === auth?.user && password === auth?.password;
        done(good ? null : new Error('wrong user or password'), { user: username });
      },
      onMailFrom: (_address, session, done) => {
        this.#decided.set(session, this.#nextBehaviour());
        done();
      },
      onRcptTo: (_address, session, done) => done(this.#refusal(session, 'recipient')),
      onData: (stream, session, done) => void this.#receive(stream, session, done).catch(done),
    });
    this.#server.on('error', () => undefined);
  }

  get port(): number {
    return this.#port;
  }

  /** URL for nodemailer: `smtp://127.0.0.1:40001`. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** The last 10,000 accepted mails, oldest first. */
  get mails(): readonly ReceivedMail[] {
    return this.#mails;
  }

  /** Number of mails that a client began to send, accepted or not. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Follows other behaviours from the next mail on. */
  follow(behaviours: readonly SmtpBehaviour[]): void {
    this.#behaviours = behaviours;
    this.#attempts = 0;
  }

  /**
   * Waits for `count` accepted mails.
   * @param timeoutMs default 20 s
   */
  async waitFor(
    count: number,
    timeoutMs: number = defaultWaitMs,
  ): Promise<readonly ReceivedMail[]> {
    const isSatisfied = (): boolean => this.#mails.length >= count;
    await this.#condition.waitUntil(
      isSatisfied,
      timeoutMs,
      () => `${this.#mails.length} mails arrived`,
    );
    return this.#mails;
  }

  /** Called by `startSmtpSink`. */
  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.server.once('error', reject);
      this.#server.server.on('connection', (socket) => this.#track(socket));
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.server.address() as AddressInfo).port;
  }

  /** Stops listening and destroys every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #track(socket: Socket): void {
    const { remotePort } = socket;
    if (remotePort === undefined) return;
    this.#sockets.set(remotePort, socket);
    socket.once('close', () => this.#sockets.delete(remotePort));
  }

  #nextBehaviour(): SmtpBehaviour {
    const behaviour = this.#behaviours[this.#attempts] ?? this.#behaviours.at(-1);
    this.#attempts += 1;
    return behaviour ?? { kind: 'accept' };
  }

  #refusal(session: SMTPServerSession, at: 'recipient' | 'message'): Error | null {
    const behaviour = this.#decided.get(session);
    if (behaviour?.kind !== 'refuse' || (behaviour.at ?? 'message') !== at) return null;
    return Object.assign(new Error('refused by the script'), { responseCode: behaviour.code });
  }

  async #receive(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    done: (error?: Error | null) => void,
  ): Promise<void> {
    const raw = await buffer(stream);
    const kind = this.#decided.get(session)?.kind;
    if (kind === 'hang') return;
    if (kind === 'drop') return void this.#sockets.get(session.remotePort)?.resetAndDestroy();
    const refusal = this.#refusal(session, 'message');
    if (refusal) return done(refusal);
    await this.#keep(raw, session);
    done();
  }

  async #keep(raw: Buffer, { envelope }: SMTPServerSession): Promise<void> {
    const { subject = '', text = '', html = '', headers } = await PostalMime.parse(raw);
    if (this.#mails.length >= maxMails) this.#mails = this.#mails.slice(maxMails / 10);
    this.#mails.push({
      from: envelope.mailFrom ? envelope.mailFrom.address : '',
      to: envelope.rcptTo.map(({ address }) => address),
      subject,
      text,
      html,
      headers: new Map(headers.map(({ key, value }) => [key, value])),
      raw,
    });
    this.#condition.changed();
  }
}

import {
  confirmByToken,
  confirmPath,
  findByConfirmToken,
  findByRefuseToken,
  type RecipientKey,
  refuseByToken,
  refusePath,
} from '@posthaste/callbacks';
import type { Database } from '@posthaste/postgres';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { App } from '../../app.js';

/*
 * Pages behind the links of mails. A GET changes nothing, because mail servers follow links to look
 * for malware; the button of the page sends a POST. Mail programs send that POST themselves for
 * `List-Unsubscribe` (RFC 8058). The token in the query is the credential.
 */

/** Headers of the pages: no script, no frame, and the token goes to no other site. */
const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  // Not `no-referrer`, with which browsers send the form without its origin.
  'referrer-policy': 'same-origin',
  'x-robots-tag': 'noindex',
};

const Query = Type.Object({ token: Type.String({ minLength: 1, maxLength: 200 }) });

const page = { 'text/html': { schema: Type.String() } };

/** Page of one link, for each of its states. */
interface LinkPage {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly find: (db: Database, token: string) => Promise<RecipientKey | undefined>;
  readonly decide: (db: Database, token: string) => Promise<RecipientKey | undefined>;
  readonly question: string;
  readonly button: string;
  readonly done: string;
}

const pages: readonly LinkPage[] = [
  {
    path: confirmPath,
    operationId: 'confirmByLink',
    summary: 'Confirm that one wants notification mails',
    find: findByConfirmToken,
    decide: confirmByToken,
    question: 'Do you want mails about callbacks that could not be delivered?',
    button: 'Yes, send me these mails',
    done: 'You get these mails from now on. Each of them has a link to stop them.',
  },
  {
    path: refusePath,
    operationId: 'refuseByLink',
    summary: 'Refuse all further notification mails',
    find: findByRefuseToken,
    decide: refuseByToken,
    question: 'Do you want no more mails about callbacks that could not be delivered?',
    button: 'Stop these mails',
    done: 'You get none of these mails any more.',
  },
];

/** Adds the pages on which the recipients of mails confirm or refuse. */
export function recipientLinkRoutes(app: App, db: Database): void {
  // The body of a form, or of a mail program, says nothing that the link does not.
  for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data']) {
    app.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: 10_000 }, async () => null);
  }
  for (const link of pages) {
    addShow(app, db, link);
    addDecide(app, db, link);
  }
}

// The list of recipients says who decided, and when.
const config = { scope: 'public', application: 'none', audit: 'none' } as const;
const tags = ['Mail recipients'];
const described = {
  200: { description: 'A page.', content: page },
  404: { description: 'The link is not valid (any more).', content: page },
};

function addShow(app: App, db: Database, { find, ...link }: LinkPage): void {
  app.get(
    link.path,
    {
      config,
      schema: {
        tags,
        operationId: `${link.operationId}Page`,
        summary: `${link.summary}: page with the button`,
        description: 'Changes nothing.',
        querystring: Query,
        response: described,
      },
    },
    async ({ query: { token } }, reply) => {
      const recipient = await find(db, token);
      return answer(reply, recipient && renderQuestion(recipient, token, link));
    },
  );
}

function addDecide(app: App, db: Database, { decide, ...link }: LinkPage): void {
  app.post(
    link.path,
    {
      config,
      schema: {
        tags,
        operationId: link.operationId,
        summary: link.summary,
        querystring: Query,
        response: described,
      },
    },
    async ({ query: { token } }, reply) => {
      const recipient = await decide(db, token);
      return answer(reply, recipient && `<p>${link.done}</p>`);
    },
  );
}

function answer(reply: FastifyReply, content: string | undefined): FastifyReply {
  reply.code(content === undefined ? 404 : 200).headers(pageHeaders);
  const text = content ?? '<p>This link is not valid, or not any more.</p>';
  return reply.send(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Posthaste</title><h1>Posthaste</h1>${text}</html>`,
  );
}

/** Longest name of an application on a page. */
const maxNameLength = 64;

function renderQuestion(
  { application, address }: RecipientKey,
  token: string,
  { path, question, button }: Pick<LinkPage, 'path' | 'question' | 'button'>,
): string {
  const name = application.slice(0, maxNameLength);
  return `<p>${question}</p><p>Address: ${escapeHtml(address)}${
    name === '' ? '' : `<br>Application: ${escapeHtml(name)}`
  }</p><form method="post" action="${path}?token=${encodeURIComponent(token)}"><button>${button}</button></form>`;
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

import type { Caller } from '@posthaste/access';
import {
  confirmMailRecipient,
  getMailRecipient,
  listMailRecipients,
  type MailRecipient,
  type RecipientState,
  refuseMailRecipient,
} from '@posthaste/callbacks';
import type { Applications } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { pastOf } from '../../audit/audited-route.js';
import {
  applicationFilter,
  idParams,
  idSchema,
  momentSchema,
  nullable,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';

const tags = ['Mail recipients'];
const path = '/v1/mail-recipients';
const maxPerPage = 500;
const states: readonly RecipientState[] = ['pending', 'confirmed', 'refused'];

/** True if mails to an address that the caller names need no confirmation of its recipient. */
export function isRecipientTrusted({ applications }: Caller): boolean {
  // Callers without a credential on loopback are callers for all applications too.
  return applications === 'all';
}

/** Description of the address in requests. */
export const notificationEmailDescription: string =
  'Gets a mail when the callback fails for good; once the recipient has confirmed, unless the caller is one for all applications.';

const View = Type.Object(
  {
    id: idSchema,
    application: Type.String(),
    address: Type.String({ description: 'Its domain is in lower case.' }),
    state: Type.Enum([...states], {
      type: 'string',
      description:
        '`pending`: its mails wait for a confirmation. `confirmed`: it gets mails. `refused`: it gets none.',
    }),
    decidedBy: nullable(
      Type.String({
        description:
          '`recipient`: the person, by a link. `caller`: named by a caller for all applications, or on the list POSTHASTE_MAIL_RECIPIENTS. `operator`: by this API. `migration`: an endpoint had it before recipients were confirmed. Null while it is pending.',
      }),
    ),
    decidedAt: nullable(momentSchema),
    held: Type.Integer({ description: 'Mails that wait for the confirmation.' }),
    suppressed: Type.Integer({ description: 'Failures that the next summary counts.' }),
    dropped: Type.Integer({ description: 'Failures of which no mail was sent: it was refused.' }),
    createdAt: momentSchema,
  },
  { title: 'MailRecipient' },
);

/**
 * Leaves out how often it was asked: limits of mailboxes count for all applications, and so would
 * tell one of them about the others.
 */
function toView({
  decidedBy,
  decidedAt,
  createdAt,
  confirmations: _,
  ...fields
}: MailRecipient): Static<typeof View> {
  return {
    ...fields,
    decidedBy: decidedBy ?? null,
    decidedAt: decidedAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
  };
}

/** Adds `/v1/mail-recipients`: list, confirm and refuse the recipients of notification mails. */
export function mailRecipientRoutes(app: App, db: Database): void {
  addList(app, db);
  addDecisions(app, db);
}

function addList(app: App, db: Database): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listMailRecipients',
        summary: 'List the recipients of notification mails, newest first',
        description:
          'Of each application, up to 1,000 addresses wait for a confirmation. Further ones are not stored, and get no mail.',
        querystring: listQuery(maxPerPage, {
          application: applicationFilter,
          state: Type.Optional(Type.Enum([...states], { type: 'string' })),
        }),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { state, limit, cursor }, applications: within }) =>
      toPageView(await listMailRecipients(db, { within, state }, { limit, cursor }), toView),
  );
}

interface Decision {
  readonly name: string;
  readonly decide: (db: Database, id: string, within: Applications) => Promise<void>;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
}

const decisions: readonly Decision[] = [
  {
    name: 'confirm',
    decide: confirmMailRecipient,
    operationId: 'confirmMailRecipient',
    summary: 'Confirm a recipient as an operator',
    description:
      'Its mails that waited are sent. For callers for all applications. A recipient that has refused mails itself cannot be confirmed.',
  },
  {
    name: 'refuse',
    decide: refuseMailRecipient,
    operationId: 'refuseMailRecipient',
    summary: 'Refuse a recipient as an operator',
    description:
      'Its mails that waited are dropped, and it gets no more. For callers for all applications.',
  },
];

function addDecisions(app: App, db: Database): void {
  for (const { name, decide, ...described } of decisions) {
    app.post(
      `${path}/:id/${name}`,
      {
        config: {
          scope: 'endpoints:write',
          application: 'all',
          audit: {
            action: `mail-recipient.${pastOf(name)}`,
            target: 'mail-recipient',
          },
          errors: ['MAIL_RECIPIENT_NOT_FOUND', 'MAIL_RECIPIENT_REFUSED'],
        },
        schema: { tags, ...described, params: idParams, response: { 200: View } },
      },
      async ({ params: { id }, applications: within }) => {
        await decide(db, id, within);
        return toView(await getMailRecipient(db, id, within));
      },
    );
  }
}

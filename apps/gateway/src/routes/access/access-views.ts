import { type Rights, type Role, roles, type Scope, type Session, scopes } from '@posthaste/access';
import { type Applications, channelPatternSource } from '@posthaste/contracts';
import { type TString, type TUnsafe, Type } from 'typebox';
import { momentSchema, nullable } from '../schemas/field-schemas.js';

/** Schemas of fields that sessions and tokens share. */

const scope = Type.Enum([...scopes]);

/** Scopes in a request: at least one. */
export const scopesSchema: TUnsafe<Scope[]> = Type.Unsafe<Scope[]>(
  Type.Array(scope, { minItems: 1, uniqueItems: true }),
);

/** Name of an application in a request. */
export const applicationNameSchema: TString = Type.String({
  maxLength: 256,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
});

/** Name of a token. */
export const tokenNameSchema: TString = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'Name for people, without control characters.',
});

/** Realtime channels in a request: paths, and patterns such as `/chat/*`. */
export const channelsSchema: TUnsafe<string[]> = Type.Unsafe<string[]>(
  Type.Array(Type.String({ pattern: channelPatternSource, examples: ['/default/*'] }), {
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
  }),
);

/** Realtime channels in an answer. */
export const channelsView: TUnsafe<string[] | null> = nullable(
  Type.Array(Type.String(), {
    description: 'Realtime channels and patterns of channels. Null: all.',
  }),
);

/** Applications in an answer. */
export const applicationsView: TUnsafe<string[] | null> = nullable(
  Type.Array(Type.String(), { description: 'Names of applications. Null: all.' }),
);

/** Scopes in some applications, in an answer. */
export interface RightsBody {
  readonly applications: string[] | null;
  readonly scopes: Scope[];
}

export const rightsView: TUnsafe<RightsBody[]> = Type.Unsafe<RightsBody[]>(
  Type.Array(Type.Object({ applications: applicationsView, scopes: Type.Array(scope) }), {
    description: 'Scopes, and the applications in which the caller has them.',
  }),
);

/** A session in an answer. */
export interface SessionBody {
  readonly id: string;
  readonly issuer: string | null;
  readonly subject: string;
  readonly name: string;
  readonly email: string | null;
  readonly roles: { readonly role: Role; readonly applications: string[] | null }[];
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
}

export const sessionView: TUnsafe<SessionBody> = Type.Unsafe<SessionBody>(
  Type.Object(
    {
      id: Type.String({ format: 'uuid' }),
      issuer: nullable(
        Type.String({
          description: 'Identity provider of the person. Null: the session of an API key.',
        }),
      ),
      subject: Type.String({
        description: 'Id of the person at the identity provider, or the id of the API key.',
      }),
      name: Type.String(),
      email: nullable(Type.String()),
      roles: Type.Array(
        Type.Object({ role: Type.Enum([...roles]), applications: applicationsView }),
        { description: 'Roles of a person. An API key has none: the session has its rights.' },
      ),
      createdAt: momentSchema,
      lastUsedAt: Type.String({ format: 'date-time', description: 'To the minute.' }),
      expiresAt: momentSchema,
      revokedAt: nullable(momentSchema),
    },
    { title: 'Session' },
  ),
);

/** Converts applications to their form in an answer. */
export function toApplicationsView(applications: Applications): string[] | null {
  return applications === 'all' ? null : [...applications];
}

/** Converts rights to their form in an answer. */
export function toRightsView(rights: readonly Rights[]): RightsBody[] {
  return rights.map(({ applications, scopes: held }) => ({
    applications: toApplicationsView(applications),
    scopes: [...held],
  }));
}

/** Converts a session to its form in an answer. */
export function toSessionView(session: Session): SessionBody {
  return {
    id: session.id,
    issuer: session.issuer,
    subject: session.subject,
    name: session.name,
    email: session.email,
    roles: session.grants.map(({ role, applications }) => ({
      role,
      applications: toApplicationsView(applications),
    })),
    createdAt: session.createdAt.toISOString(),
    lastUsedAt: session.lastUsedAt.toISOString(),
    expiresAt: session.expiresAt.toISOString(),
    revokedAt: session.revokedAt?.toISOString() ?? null,
  };
}

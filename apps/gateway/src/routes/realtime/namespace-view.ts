import type { AuthMode, NamespaceSettings } from '@posthaste/appsync-server';
import type { NamespaceRecord } from '@posthaste/appsync-server/postgres';
import {
  type TObject,
  type TOptional,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox';
import { momentSchema, nullable } from '../schemas/field-schemas.js';

/** Namespace that the file of the gateway defines. */
export interface ConfiguredNamespace extends NamespaceSettings {
  readonly name: string;
  /** Default: all applications share it. */
  readonly application?: string | undefined;
}

const authModes: readonly AuthMode[] = [
  'API_KEY',
  'AMAZON_COGNITO_USER_POOLS',
  'OPENID_CONNECT',
  'AWS_LAMBDA',
  'AWS_IAM',
];
const defaults = { maxEventBytes: 245_760, history: 100, durable: true } as const;

const modesSchema = (right: string): TUnsafe<AuthMode[] | null> =>
  Type.Unsafe<AuthMode[] | null>({
    type: ['array', 'null'],
    items: { type: 'string', enum: [...authModes] },
    minItems: 1,
    maxItems: authModes.length,
    description: `Kinds of credentials that may ${right}. Keys and tokens of the platform are \`API_KEY\`. Null: any that the gateway accepts.`,
  });

const ForwardTarget = Type.Object(
  {
    topic: Type.String({ minLength: 1, maxLength: 256, examples: ['chat'] }),
    name: Type.String({ minLength: 1, maxLength: 1_024, examples: ['chat.said'] }),
  },
  { additionalProperties: false },
);

/** Settings as the API has them: null for the default. */
interface Settings {
  publishAuthModes: AuthMode[] | null;
  subscribeAuthModes: AuthMode[] | null;
  maxEventBytes: number | null;
  history: number | null;
  durable: boolean | null;
  schema: object | boolean | null;
  forwardTo: { topic: string; name: string } | null;
  ownChannels: string | null;
}

const fields: { readonly [Name in keyof Settings]: TUnsafe<Settings[Name]> } = {
  publishAuthModes: modesSchema('publish'),
  subscribeAuthModes: modesSchema('subscribe'),
  maxEventBytes: nullable(
    Type.Integer({ description: 'Largest event, in bytes, up to 1,048,576. Default 245,760.' }),
  ),
  history: nullable(
    Type.Integer({
      description:
        'Events of each channel that a subscriber can get after a reconnect, up to 10,000; 0 is none. Default 100.',
    }),
  ),
  durable: nullable(
    Type.Boolean({
      description:
        'True stores events before they are acknowledged. False sends them to the subscribers of this gateway at once, and to others as well as it can. Default true.',
    }),
  ),
  schema: Type.Unsafe<object | boolean | null>({
    type: ['object', 'boolean', 'null'],
    additionalProperties: true,
    description:
      'A JSON Schema (2020-12) of up to 8 KiB that every event must fit, without regular expressions and references. Default: any JSON.',
    examples: [{ type: 'object', required: ['text'] }],
  }),
  ownChannels: nullable(
    Type.String({
      maxLength: 512,
      description:
        'Pattern of the channels that each user may publish and subscribe to. `{sub}` is the id of the user, other names are claims of its token; `*` at the end is any channel below. It is about the principals of OpenID providers, Cognito pools and webhooks; keys and tokens of the platform and IAM keys may use all. Default: everybody may use all.',
      examples: ['/user/{sub}/*'],
    }),
  ),
  forwardTo: Type.Unsafe<Settings['forwardTo']>({
    ...ForwardTarget,
    type: ['object', 'null'],
    description:
      'Event that every published event is appended as, too, so that webhooks and Kafka get it: its topic and name. Needs `events:write`. Default: none.',
  }),
};

type SettingFields = { readonly [Name in keyof Settings]: TOptional<TUnsafe<Settings[Name]>> };

/** Settings of a namespace in requests. Each may be left out, or null for its default. */
export const namespaceSettings: SettingFields = {
  publishAuthModes: Type.Optional(fields.publishAuthModes),
  subscribeAuthModes: Type.Optional(fields.subscribeAuthModes),
  maxEventBytes: Type.Optional(fields.maxEventBytes),
  history: Type.Optional(fields.history),
  durable: Type.Optional(fields.durable),
  schema: Type.Optional(fields.schema),
  forwardTo: Type.Optional(fields.forwardTo),
  ownChannels: Type.Optional(fields.ownChannels),
};

/** Settings as a request has them. */
export type SentSettings = Readonly<Partial<Settings>>;

export const namespaceNameSchema: TString = Type.String({
  pattern: '^[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?$',
  description: 'First segment of its channels: 1 to 50 letters, digits and inner dashes.',
  examples: ['chat'],
});

/** Namespace as the API shows it, with its defaults. */
export interface NamespaceView extends Settings {
  application: string | null;
  name: string;
  maxEventBytes: number;
  history: number;
  durable: boolean;
  definedBy: 'api' | 'file';
  createdAt: string | null;
  updatedAt: string | null;
}

const NamespaceObject: TObject<Record<string, TSchema>> = Type.Object(
  {
    application: nullable(
      Type.String({ description: 'Application that it belongs to. Null: all share it.' }),
    ),
    name: namespaceNameSchema,
    ...fields,
    maxEventBytes: Type.Integer({ description: 'Largest event, in bytes.' }),
    history: Type.Integer({
      description: 'Events of each channel that a subscriber can get after a reconnect.',
    }),
    durable: Type.Boolean({
      description: 'True if events are stored before they are acknowledged.',
    }),
    definedBy: Type.Enum(['api', 'file'], {
      type: 'string',
      description:
        '`file`: the file of POSTHASTE_REALTIME_CONFIG of this gateway, which the API does not change.',
    }),
    createdAt: nullable({ ...momentSchema, description: 'Null for one of a file.' }),
    updatedAt: nullable({ ...momentSchema, description: 'Null for one of a file.' }),
  },
  { title: 'Namespace' },
);

export const namespaceSchema: TUnsafe<NamespaceView> = Type.Unsafe<NamespaceView>(NamespaceObject);

/** Returns a namespace of the database for the API. */
export function toNamespaceView(record: NamespaceRecord): NamespaceView {
  return {
    application: record.application ?? null,
    name: record.name,
    ...toSettingsView(record.settings),
    definedBy: 'api',
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
  };
}

/** Returns a namespace of the file for the API. */
export function toConfiguredView(configured: ConfiguredNamespace): NamespaceView {
  return {
    application: configured.application ?? null,
    name: configured.name,
    ...toSettingsView(configured),
    definedBy: 'file',
    createdAt: null,
    updatedAt: null,
  };
}

/** Returns settings with the defaults of those that are not set. */
export function toSettingsView(settings: NamespaceSettings): Pick<NamespaceView, keyof Settings> {
  const { publishAuthModes, subscribeAuthModes, schema, forwardTo } = settings;
  return {
    publishAuthModes: publishAuthModes ? [...publishAuthModes] : null,
    subscribeAuthModes: subscribeAuthModes ? [...subscribeAuthModes] : null,
    maxEventBytes: settings.maxEventBytes ?? defaults.maxEventBytes,
    history: settings.history ?? defaults.history,
    durable: settings.durable ?? defaults.durable,
    schema: schema ?? null,
    forwardTo: forwardTo ? { ...forwardTo } : null,
    ownChannels: settings.ownChannels ?? null,
  };
}

import type { NewSecret, SecretView } from '@posthaste/callbacks';
import {
  type Static,
  type TOptional,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox';
import { momentSchema, nullable, strict, toMoment } from '../schemas/field-schemas.js';

/** Signing secrets on the wire, those with a name and those of endpoints. */

const kind = {
  type: 'string',
  description:
    '`hmac` signs as `v1` of Standard Webhooks, `ed25519` as `v1a`, which receivers verify with the public key.',
} as const;

const PublicKey = nullable(Type.String({ description: '`whpk_…`; ed25519 only.' }));
const form = '`whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 key.';

const NewVersion = Type.Object(
  {
    version: Type.Integer(),
    kind: Type.Enum(['hmac', 'ed25519'], kind),
    secret: Type.String({ description: `${form} Shown this once.` }),
    publicKey: PublicKey,
  },
  { title: 'NewSecretVersion', description: 'The only time that the secret itself is shown.' },
);

const Version = Type.Object(
  {
    version: Type.Integer(),
    kind: Type.Enum(['hmac', 'ed25519'], kind),
    publicKey: PublicKey,
    createdAt: momentSchema,
    expiresAt: nullable({
      ...momentSchema,
      description: 'From then on it signs no more; null on the latest one.',
    }),
  },
  { title: 'SecretVersion' },
);

/** The text of a secret, where a caller brings its own. */
export const ownSecretField: TOptional<TString> = Type.Optional(
  Type.String({ description: `${form} Not given: one is made.` }),
);

/** The kind of a secret that is made. */
export const secretKindField: TOptional<TUnsafe<'hmac' | 'ed25519'>> = Type.Optional(
  Type.Unsafe<'hmac' | 'ed25519'>(Type.Enum(['hmac', 'ed25519'], kind)),
);

/** A version just made, with its text. */
export const newVersionSchema: TSchema = NewVersion;
/** A version that signs, without its text. */
export const versionsSchema: TSchema = Type.Array(Version, {
  description: 'Those that sign, the latest first.',
});

/** What a rotation takes. */
export interface Rotation {
  readonly secret?: string;
  readonly kind?: 'hmac' | 'ed25519';
  readonly graceMs?: number;
}

/** Null is no body at all: everything has a default. */
export const rotationSchema: TUnsafe<Rotation | null> = nullable(
  Type.Object(
    {
      secret: ownSecretField,
      kind: secretKindField,
      graceMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 30 * 24 * 3_600_000,
          description:
            'How long the versions before it sign beside it, in ms. Default 86,400,000 (a day).',
        }),
      ),
    },
    strict,
  ),
);

export function showNewVersion({ version, kind, secret, publicKey }: NewSecret): object {
  const view: Static<typeof NewVersion> = { version, kind, secret, publicKey: publicKey ?? null };
  return view;
}

export function showVersions({ versions }: SecretView): object[] {
  return versions.map(
    (version): Static<typeof Version> => ({
      ...version,
      publicKey: version.publicKey ?? null,
      createdAt: version.createdAt.toISOString(),
      expiresAt: toMoment(version.expiresAt),
    }),
  );
}

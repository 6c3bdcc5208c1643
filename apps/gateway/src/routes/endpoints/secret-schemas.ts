import type { NewSecret, SecretView } from '@posthaste/callbacks';
import {
  type Static,
  type TOptional,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox';
import { momentSchema, noUnknownKeys, nullable, toMoment } from '../schemas/field-schemas.js';

/** Schemas of signing secrets: named ones and those of endpoints. */

const kind = {
  type: 'string',
  description:
    '`hmac` signs as `v1` of Standard Webhooks. `ed25519` signs as `v1a`, which receivers verify with the public key.',
} as const;

const PublicKey = nullable(
  Type.String({ description: 'The public key, `whpk_…`. Only of kind `ed25519`.' }),
);
const secretFormat =
  '`whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an ed25519 key.';

const NewVersion = Type.Object(
  {
    version: Type.Integer(),
    kind: Type.Enum(['hmac', 'ed25519'], kind),
    secret: Type.String({ description: `${secretFormat} Shown only here.` }),
    publicKey: PublicKey,
  },
  {
    title: 'NewSecretVersion',
    description: 'A new version, with the secret. The secret is shown only here.',
  },
);

const Version = Type.Object(
  {
    version: Type.Integer(),
    kind: Type.Enum(['hmac', 'ed25519'], kind),
    publicKey: PublicKey,
    createdAt: momentSchema,
    expiresAt: nullable({
      ...momentSchema,
      description: 'The version does not sign after this time. Null for the latest version.',
    }),
  },
  { title: 'SecretVersion' },
);

/** Secret that the caller provides. */
export const ownSecretField: TOptional<TString> = Type.Optional(
  Type.String({ description: `${secretFormat} Default: one is generated.` }),
);

/** Kind of a secret that is generated. */
export const secretKindField: TOptional<TUnsafe<'hmac' | 'ed25519'>> = Type.Optional(
  Type.Unsafe<'hmac' | 'ed25519'>(Type.Enum(['hmac', 'ed25519'], kind)),
);

/** A new version, with its secret. */
export const newVersionSchema: TSchema = NewVersion;
/** The versions that sign, without their secrets. */
export const versionsSchema: TSchema = Type.Array(Version, {
  description: 'The versions that sign, latest first.',
});

/** Body of a rotation. */
export interface Rotation {
  readonly secret?: string;
  readonly kind?: 'hmac' | 'ed25519';
  readonly graceMs?: number;
}

/** Null for a request without a body, because every member has a default. */
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
            'Grace time in which earlier versions sign too, in ms. Default 86,400,000 (a day).',
        }),
      ),
    },
    noUnknownKeys,
  ),
);

export function toNewVersionView({ version, kind, secret, publicKey }: NewSecret): object {
  const view: Static<typeof NewVersion> = { version, kind, secret, publicKey: publicKey ?? null };
  return view;
}

export function toVersionViews({ versions }: SecretView): object[] {
  return versions.map(
    (version): Static<typeof Version> => ({
      ...version,
      publicKey: version.publicKey ?? null,
      createdAt: version.createdAt.toISOString(),
      expiresAt: toMoment(version.expiresAt),
    }),
  );
}

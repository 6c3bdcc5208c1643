import type { SecretKey, SecretVersionRow } from './secrets/secret-store.js';
import type { SecretKind } from './secrets/signature.js';

export interface SecretVersion {
  readonly version: number;
  readonly kind: SecretKind;
  /** `whpk_…`; ed25519 only. */
  readonly publicKey: string | undefined;
  readonly createdAt: Date;
  /** From then on it signs no more; absent on the latest one. */
  readonly expiresAt: Date | undefined;
}

/** What may be shown of a secret: never its text. */
export interface SecretView extends SecretKey {
  /** Those that sign, the latest first. */
  readonly versions: readonly SecretVersion[];
}

/** @param rows those of one secret stand together, the latest version first */
export function toSecretViews(rows: readonly SecretVersionRow[]): SecretView[] {
  const views: (SecretKey & { versions: SecretVersion[] })[] = [];
  for (const { application, name, ...row } of rows) {
    const last = views.at(-1);
    const version: SecretVersion = {
      version: row.version,
      kind: row.kind,
      publicKey: row.public_key ?? undefined,
      createdAt: row.created_at,
      expiresAt: row.expires_at ?? undefined,
    };
    if (last?.application === application && last.name === name) last.versions.push(version);
    else views.push({ application, name, versions: [version] });
  }
  return views;
}

import { PlatformError } from '@posthaste/contracts';
import type { Database, Queryable } from '@posthaste/postgres';
import { withApplication } from '../application-name.js';
import { LoadingCache } from '../loading-cache.js';
import { type Page, type PageRequest, pageLimit, parsePairCursor, toPairCursor } from '../page.js';
import { checkName, type FieldFault, isName, requestInvalid } from '../request/request.js';
import { type SecretView, toSecretViews } from '../secret-view.js';
import type { SecretBox } from './secret-box.js';
import {
  deleteSecret,
  expireSecret,
  insertSecretVersion,
  listSealed,
  listSecrets,
  listSecretVersions,
  lockSecret,
  type SecretKey,
} from './secret-store.js';
import { generateSecret, parseSecret, type SecretKind, type SigningKey } from './signature.js';

/** Where the text of a new version comes from. */
export interface SecretSource {
  /** The text, `whsec_…` or `whsk_…`. Default: a generated one. */
  readonly secret?: string | undefined;
  /** Kind of a generated one. Default: that of the version before, and `hmac` for the first. */
  readonly kind?: SecretKind | undefined;
}

export interface SecretRotation extends SecretKey, SecretSource {
  /** How long the versions before it go on signing, in ms: 0 to 30 days. Default 24 hours. */
  readonly graceMs?: number | undefined;
}

/** A version just made: the only time that its text is shown. */
export interface NewSecret extends SecretKey {
  readonly version: number;
  readonly kind: SecretKind;
  readonly secret: string;
  /** `whpk_…`; ed25519 only. */
  readonly publicKey: string | undefined;
}

export interface SecretsOptions {
  /** Keys are read again after this time, in ms: a rotation reaches workers within it. Default 5,000. */
  readonly cacheTtlMs?: number | undefined;
  /** Secrets whose keys are kept ready. Default 10,000. */
  readonly maxCached?: number | undefined;
  /** Milliseconds of a steady clock. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

const defaultGraceMs = 24 * 3_600_000;
const maxGraceMs = 30 * 24 * 3_600_000;
const maxPage = 100;
const endpointPrefix = 'endpoint:';
/** Between application and name, neither of which can have it. */
const separator = '\n';

/** The name of an endpoint's own secret, among those of its application. */
export function endpointSecretName(endpointId: string): string {
  return endpointPrefix + endpointId;
}

/** The signing secrets of applications: sealed in the database, rotated by adding versions. */
export class Secrets {
  readonly #db: Database;
  readonly #box: SecretBox;
  readonly #keys: LoadingCache<readonly SigningKey[]>;

  constructor(db: Database, box: SecretBox, options: SecretsOptions = {}) {
    this.#db = db;
    this.#box = box;
    this.#keys = new LoadingCache({
      ttlMs: options.cacheTtlMs ?? 5_000,
      maxEntries: options.maxCached ?? 10_000,
      now: options.now,
      load: (cacheKeys) => this.#load(cacheKeys),
    });
  }

  /**
   * Makes a secret, given or generated.
   * @throws PlatformError `SECRET_EXISTS`, `SECRET_INVALID`; `REQUEST_INVALID` for a name that is
   *   empty, too long, or begins like those of endpoints
   */
  async create(request: SecretKey & SecretSource): Promise<NewSecret> {
    checkKey(request);
    return this.#insert(this.#db, request, request, 1);
  }

  /** Makes the secret of an endpoint, in the transaction that makes the endpoint. */
  createForEndpoint(
    tx: Queryable,
    endpoint: { readonly application: string; readonly id: string },
    source: SecretSource,
  ): Promise<NewSecret> {
    const name = endpointSecretName(endpoint.id);
    return this.#insert(tx, { application: endpoint.application, name }, source, 1);
  }

  /**
   * Adds a version. Those before it sign beside it until the grace time is over.
   * @throws PlatformError `SECRET_NOT_FOUND`, `SECRET_INVALID`; `REQUEST_INVALID` for the grace time
   */
  async rotate(rotation: SecretRotation): Promise<NewSecret> {
    const { graceMs = defaultGraceMs } = rotation;
    if (!(graceMs >= 0 && graceMs <= maxGraceMs)) {
      throw requestInvalid([{ field: 'graceMs', message: `must be 0 to ${maxGraceMs}` }]);
    }
    if (!isKey(rotation)) throw secretNotFound(rotation);
    const rotated = await this.#db.transaction(async (tx) => {
      const latest = await lockSecret(tx, rotation);
      if (!latest) throw secretNotFound(rotation);
      await expireSecret(tx, rotation, graceMs);
      const source = { secret: rotation.secret, kind: rotation.kind ?? latest.kind };
      return this.#insert(tx, rotation, source, latest.version + 1);
    });
    this.#keys.forget(toCacheKey(rotation));
    return rotated;
  }

  /** @throws PlatformError `SECRET_NOT_FOUND` */
  async get(key: SecretKey): Promise<SecretView> {
    const rows = isKey(key) ? await listSecretVersions(this.#db, key) : [];
    const [view] = toSecretViews(rows);
    if (!view) throw secretNotFound(key);
    return view;
  }

  /**
   * Secrets in the order of application and name; those of endpoints are left out.
   * @param page at most 100 at once
   * @throws PlatformError `REQUEST_INVALID`
   */
  async list(
    filter: { readonly application?: string | undefined } = {},
    page: PageRequest = {},
  ): Promise<Page<SecretView>> {
    const limit = pageLimit(page, maxPage);
    const faults: FieldFault[] = [];
    checkName('application', filter.application, faults);
    if (faults.length > 0) throw requestInvalid(faults);
    const [application, name] = page.cursor ? parsePairCursor(page.cursor) : ['', ''];
    const rows = await listSecrets(this.#db, {
      after: { application, name },
      application: filter.application,
      exceptPrefix: endpointPrefix,
      limit: limit + 1,
    });
    const views = toSecretViews(rows);
    const items = views.slice(0, limit);
    const last = views.length > limit ? items.at(-1) : undefined;
    return { items, next: last && toPairCursor(last.application, last.name) };
  }

  /**
   * Removes all versions. What is to be signed with it cannot be sent from then on, and fails.
   * @throws PlatformError `SECRET_NOT_FOUND`; `REQUEST_INVALID` for the secret of an endpoint
   */
  async remove(key: SecretKey): Promise<void> {
    checkKey(key);
    const removed = await deleteSecret(this.#db, key);
    this.#keys.forget(toCacheKey(key));
    if (!removed) throw secretNotFound(key);
  }

  /** Removes the secret of an endpoint, in the transaction that removes the endpoint. */
  async removeForEndpoint(
    tx: Queryable,
    endpoint: { readonly application: string; readonly id: string },
  ): Promise<void> {
    const key = { application: endpoint.application, name: endpointSecretName(endpoint.id) };
    await deleteSecret(tx, key);
    this.#keys.forget(toCacheKey(key));
  }

  /**
   * The keys to sign with, the latest first; from memory if they were read a moment ago.
   * @throws PlatformError `SECRET_NOT_FOUND`, `SECRET_UNREADABLE`
   */
  async signingKeys(key: SecretKey): Promise<readonly SigningKey[]> {
    const keys = isKey(key) ? await this.#keys.find(toCacheKey(key)) : undefined;
    if (keys) return keys;
    throw secretNotFound(key);
  }

  /** The same, when they are in memory. */
  peekSigningKeys(key: SecretKey): readonly SigningKey[] | undefined {
    return this.#keys.peek(toCacheKey(key));
  }

  /**
   * Whether there is such a secret; from memory if it was asked for a moment ago.
   * @throws PlatformError `SECRET_UNREADABLE`
   */
  async exists(key: SecretKey): Promise<boolean> {
    return isKey(key) && (await this.#keys.find(toCacheKey(key))) !== undefined;
  }

  async #insert(
    db: Queryable,
    { application, name }: SecretKey,
    source: SecretSource,
    version: number,
  ): Promise<NewSecret> {
    const secret = source.secret ?? generateSecret(source.kind);
    const { kind, publicKey } = parseSecret(secret);
    const sealed = this.#box.seal(secret, toCacheKey({ application, name }));
    await insertSecretVersion(db, { application, name, version, kind, publicKey, sealed });
    return { application, name, version, kind, secret, publicKey };
  }

  async #load(cacheKeys: readonly string[]): Promise<Map<string, readonly SigningKey[]>> {
    const loaded = new Map<string, readonly SigningKey[]>();
    for (const cacheKey of cacheKeys) {
      const [application = '', name = ''] = cacheKey.split(separator);
      const sealed = await listSealed(this.#db, { application, name });
      if (sealed.length > 0)
        loaded.set(
          cacheKey,
          sealed.map((s) => this.#open(s, cacheKey)),
        );
    }
    return loaded;
  }

  #open(sealed: Buffer, cacheKey: string): SigningKey {
    try {
      return parseSecret(this.#box.open(sealed, cacheKey));
    } catch (cause) {
      const [application = '', name] = cacheKey.split(separator);
      const message = `${withApplication(`secret ${name}`, application)} cannot be opened`;
      throw new PlatformError('SECRET_UNREADABLE', message, { cause });
    }
  }
}

/** Also whose the sealed text is: a row put in the place of another does not open. */
function toCacheKey({ application, name }: SecretKey): string {
  return application + separator + name;
}

/** Whether a secret can have these names; also what keeps the separator out of them. */
function isKey({ application, name }: SecretKey): boolean {
  return isName(application) && isName(name);
}

function checkKey({ application, name }: SecretKey): void {
  const faults: FieldFault[] = [];
  checkName('application', application, faults);
  checkName('name', name, faults);
  if (name === '') faults.push({ field: 'name', message: 'is empty' });
  if (name.startsWith(endpointPrefix)) {
    faults.push({ field: 'name', message: `begins with ${endpointPrefix}, as those of endpoints` });
  }
  if (faults.length > 0) throw requestInvalid(faults);
}

function secretNotFound({ application, name }: SecretKey): PlatformError {
  return new PlatformError(
    'SECRET_NOT_FOUND',
    `there is no ${withApplication(`secret ${name.slice(0, 64)}`, application.slice(0, 64))}`,
  );
}

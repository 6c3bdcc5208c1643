import { PlatformError } from '@posthaste/contracts';
import { afterCommit, type Database, type Queryable } from '@posthaste/postgres';
import { type ApplicationFilter, listedApplications } from '../application-filter.js';
import { checkName } from '../field-checks.js';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import { LoadingCache } from '../loading-cache.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parsePairCursor,
  toPage,
  toPairCursor,
} from '../page.js';
import type { SecretBox } from './secret-box.js';
import {
  checkSecretKey,
  describeSecret,
  endpointSecretName,
  endpointSecretPrefix,
  fromKeyText,
  isSecretKey,
  type SecretKey,
  secretNotFound,
  toKeyText,
} from './secret-key.js';
import {
  deleteSecret,
  expireSecret,
  insertSecretVersion,
  listSealed,
  listSecrets,
  listSecretVersions,
  lockSecret,
  type SecretView,
  toSecretViews,
} from './secret-store.js';
import { generateSecret, parseSecret, type SecretKind, type SigningKey } from './signature.js';

/** Source of the text of a new version: given or generated. */
export interface SecretSource {
  /** Given text, `whsec_…` or `whsk_…`. Default: a generated one. */
  readonly secret?: string | undefined;
  /** Kind of a generated text. Default: that of the version before, `hmac` for the first. */
  readonly kind?: SecretKind | undefined;
}

/** A rotation: the secret, and the source of its new version. */
export interface SecretRotation extends SecretKey, SecretSource {
  /** Time for which earlier versions still sign, in ms: 0 to 30 days. Default 24 hours. */
  readonly graceMs?: number | undefined;
}

/** A version just created. Its text is shown only this once. */
export interface NewSecret extends SecretKey {
  readonly version: number;
  readonly kind: SecretKind;
  readonly secret: string;
  /** `whpk_…`; ed25519 only. */
  readonly publicKey: string | undefined;
}

/** Options of {@link Secrets}. */
export interface SecretsOptions {
  /** Time for which keys are cached, in ms: a rotation reaches workers within it. Default 5,000. */
  readonly cacheTtlMs?: number | undefined;
  /** Most secrets whose keys are cached. Default 10,000. */
  readonly maxCached?: number | undefined;
  /** Returns the milliseconds of a steady clock. Default: the clock of the process. */
  readonly now?: (() => number) | undefined;
}

/** An endpoint, as its secret needs it. */
interface SecretOwner {
  readonly application: string;
  readonly id: string;
}

const defaultGraceMs = 24 * 3_600_000;
const maxGraceMs = 30 * 24 * 3_600_000;
const maxPage = 100;

/**
 * Signing secrets of applications: sealed in the database, rotated by adding versions. Each method
 * is about the application that its key names, which the caller may see and change.
 */
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
      load: (keyTexts) => this.#load(keyTexts),
    });
  }

  /**
   * Creates a secret, whose text is given or generated.
   * @throws PlatformError `SECRET_EXISTS`, `SECRET_INVALID`; `REQUEST_INVALID` for a name that is
   *   empty, too long, or begins like those of endpoints
   */
  async create(request: SecretKey & SecretSource): Promise<NewSecret> {
    checkSecretKey(request);
    return this.#insert(this.#db, request, 1);
  }

  /** Creates the secret of an endpoint, in the transaction that creates the endpoint. */
  createForEndpoint(
    tx: Queryable,
    endpoint: SecretOwner,
    source: SecretSource,
  ): Promise<NewSecret> {
    return this.#insert(tx, { ...source, ...toEndpointKey(endpoint) }, 1);
  }

  /**
   * Adds a version. Earlier versions sign as well until the grace time is over.
   * @throws PlatformError `SECRET_NOT_FOUND`, `SECRET_INVALID`; `REQUEST_INVALID` for the grace
   *   time
   */
  async rotate(rotation: SecretRotation): Promise<NewSecret> {
    const { graceMs = defaultGraceMs } = rotation;
    if (!(graceMs >= 0 && graceMs <= maxGraceMs)) {
      throw requestInvalid([{ field: 'graceMs', message: `must be 0 to ${maxGraceMs}` }]);
    }
    if (!isSecretKey(rotation)) throw secretNotFound(rotation);
    const rotated = await this.#db.transaction(async (tx) => {
      const latest = await lockSecret(tx, rotation);
      if (!latest) throw secretNotFound(rotation);
      await expireSecret(tx, rotation, graceMs);
      const version = { ...rotation, kind: rotation.kind ?? latest.kind };
      return this.#insert(tx, version, latest.version + 1);
    });
    await afterCommit(this.#db, () => this.#keys.forget(toKeyText(rotation)));
    return rotated;
  }

  /** Returns a secret without its text. @throws PlatformError `SECRET_NOT_FOUND` */
  async get(key: SecretKey): Promise<SecretView> {
    const rows = isSecretKey(key) ? await listSecretVersions(this.#db, key) : [];
    const [view] = toSecretViews(rows);
    if (!view) throw secretNotFound(key);
    return view;
  }

  /**
   * Lists secrets in the order of application and name. Those of endpoints are left out.
   * @param page `limit` at most 100
   * @throws PlatformError `REQUEST_INVALID`
   */
  async list(filter: ApplicationFilter, page: PageRequest = {}): Promise<Page<SecretView>> {
    const limit = pageLimit(page, maxPage);
    const faults: FieldFault[] = [];
    checkName('application', filter.application, faults);
    if (faults.length > 0) throw requestInvalid(faults);
    const [application, name] = page.cursor ? parsePairCursor(page.cursor) : ['', ''];
    const rows = await listSecrets(this.#db, {
      after: { application, name },
      applications: listedApplications(filter),
      excludedPrefix: endpointSecretPrefix,
      limit: limit + 1,
    });
    return toPage(toSecretViews(rows), {
      limit,
      toItem: (view) => view,
      cursorAfter: (view) => toPairCursor(view.application, view.name),
    });
  }

  /**
   * Removes all versions. Callbacks to be signed with this secret fail from then on, without an
   * attempt.
   * @throws PlatformError `SECRET_NOT_FOUND`; `REQUEST_INVALID` for the secret of an endpoint
   */
  async remove(key: SecretKey): Promise<void> {
    checkSecretKey(key);
    const removed = await deleteSecret(this.#db, key);
    await afterCommit(this.#db, () => this.#keys.forget(toKeyText(key)));
    if (!removed) throw secretNotFound(key);
  }

  /** Removes the secret of an endpoint, in the transaction that removes the endpoint. */
  async removeForEndpoint(tx: Queryable, endpoint: SecretOwner): Promise<void> {
    const key = toEndpointKey(endpoint);
    await deleteSecret(tx, key);
    await afterCommit(this.#db, () => this.#keys.forget(toKeyText(key)));
  }

  /**
   * Returns the keys to sign with, the latest first: from the cache, or else from the database.
   * @throws PlatformError `SECRET_NOT_FOUND`, `SECRET_UNREADABLE`
   */
  async signingKeys(key: SecretKey): Promise<readonly SigningKey[]> {
    const keys = isSecretKey(key) ? await this.#keys.find(toKeyText(key)) : undefined;
    if (keys) return keys;
    throw secretNotFound(key);
  }

  /** Returns the keys to sign with if they are in the cache. */
  peekSigningKeys(key: SecretKey): readonly SigningKey[] | undefined {
    return this.#keys.peek(toKeyText(key));
  }

  /**
   * True if there is such a secret: from the cache, or else from the database.
   * @throws PlatformError `SECRET_UNREADABLE`
   */
  async exists(key: SecretKey): Promise<boolean> {
    return isSecretKey(key) && (await this.#keys.find(toKeyText(key))) !== undefined;
  }

  async #insert(
    db: Queryable,
    { application, name, ...source }: SecretKey & SecretSource,
    version: number,
  ): Promise<NewSecret> {
    const secret = source.secret ?? generateSecret(source.kind);
    const { kind, publicKey } = parseSecret(secret);
    // Sealed for its key: a row that is put in the place of another cannot be opened.
    const sealed = this.#box.seal(secret, toKeyText({ application, name }));
    await insertSecretVersion(db, { application, name, version, kind, publicKey, sealed });
    return { application, name, version, kind, secret, publicKey };
  }

  async #load(keyTexts: readonly string[]): Promise<Map<string, readonly SigningKey[]>> {
    const loaded = new Map<string, readonly SigningKey[]>();
    for (const keyText of keyTexts) {
      const sealed = await listSealed(this.#db, fromKeyText(keyText));
      if (sealed.length === 0) continue;
      loaded.set(
        keyText,
        sealed.map((text) => this.#open(text, keyText)),
      );
    }
    return loaded;
  }

  #open(sealed: Buffer, keyText: string): SigningKey {
    try {
      return parseSecret(this.#box.open(sealed, keyText));
    } catch (cause) {
      const secret = describeSecret(fromKeyText(keyText));
      const message = `${secret} cannot be read: it was stored with another master key; give gateway and worker the same POSTHASTE_SECRET_KEY`;
      throw new PlatformError('SECRET_UNREADABLE', message, { cause });
    }
  }
}

function toEndpointKey({ application, id }: SecretOwner): SecretKey {
  return { application, name: endpointSecretName(id) };
}

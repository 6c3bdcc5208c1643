import { PlatformError } from '@posthaste/contracts';
import { afterCommit, type Database } from '@posthaste/postgres';
import { type ApplicationFilter, listedApplications } from '../application-filter.js';
import { checkName, isName } from '../field-checks.js';
import { type FieldFault, requestInvalid, withApplication } from '../field-faults.js';
import { LoadingCache } from '../loading-cache.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parsePairCursor,
  toPage,
  toPairCursor,
} from '../page.js';
import { type PolicyInput, toPolicyInput, toRetryPolicy } from './policy-input.js';
import {
  deletePolicy,
  findPolicies,
  listPolicies,
  type PolicyKey,
  type PolicyReference,
  type PolicyRow,
  placeOf,
  putPolicy,
} from './policy-store.js';
import { fromStoredPolicy, type RetryPolicy, toStoredPolicy } from './retry-policy.js';

/** Retry policy with a name. */
export interface NamedPolicy extends PolicyKey {
  readonly policy: PolicyInput;
  readonly updatedAt: Date;
}

/** Options of {@link Policies}. */
export interface PoliciesOptions {
  /** Time after which a policy is read again, in ms. Default 5,000. */
  readonly cacheTtlMs?: number | undefined;
  /** Most attempts that a policy may ask for. Default 10,000. */
  readonly maxAttempts?: number | undefined;
  /** Monotonic clock, in ms. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

const maxCached = 10_000;
/** Separates the parts of keys of the cache. No name contains it: it is a control character. */
const separator = '\n';

/**
 * Retry policies by name: those of one application, which nobody else sees, and shared ones. A name
 * means the policy that the application has of this name, else the shared one. A callback gets a
 * copy of its policy when it is accepted, a callback for an event when the event is: a change
 * applies to later ones only.
 */
export class Policies {
  readonly #db: Database;
  readonly #maxAttempts: number | undefined;
  readonly #cache: LoadingCache<RetryPolicy>;
  /** Number of changes of shared policies by this process. Each makes the cached ones old. */
  #sharedChanges = 0;

  constructor(db: Database, options: PoliciesOptions = {}) {
    this.#db = db;
    this.#maxAttempts = options.maxAttempts;
    this.#cache = new LoadingCache({
      ttlMs: options.cacheTtlMs ?? 5_000,
      maxEntries: maxCached,
      now: options.now,
      load: (keys) => this.#load(keys),
    });
  }

  /**
   * Creates a policy, or replaces it. Only callers for all applications may change shared ones.
   * @throws PlatformError `REQUEST_INVALID`
   */
  async put(key: PolicyKey, input: PolicyInput): Promise<NamedPolicy> {
    const { application, name } = key;
    const faults: FieldFault[] = [];
    checkName('application', application, faults);
    checkName('name', name, faults);
    if (name === '') faults.push({ field: 'name', message: 'is empty' });
    if (faults.length > 0) throw requestInvalid(faults);
    const stored = JSON.stringify(toStoredPolicy(toRetryPolicy(input, this.#maxAttempts)));
    const row = await putPolicy(this.#db, key, stored);
    await afterCommit(this.#db, () => this.#forget(key));
    return toNamedPolicy(row);
  }

  /**
   * Returns the policy that the name means in the application; without one, the shared policy.
   * @throws PlatformError `POLICY_NOT_FOUND`
   */
  async get(key: PolicyKey): Promise<NamedPolicy> {
    const [row] = isPolicyKey(key) ? await findPolicies(this.#db, [key]) : [];
    if (!row) throw policyNotFound(key);
    return toNamedPolicy(row);
  }

  /**
   * Lists the policies of applications and the shared ones, by name; of one name the shared one
   * first.
   * @throws PlatformError `REQUEST_INVALID`
   */
  async list(filter: ApplicationFilter, page: PageRequest = {}): Promise<Page<NamedPolicy>> {
    const limit = pageLimit(page);
    const rows = await listPolicies(this.#db, {
      after: page.cursor === undefined ? ['', ''] : parsePairCursor(page.cursor),
      applications: listedApplications(filter),
      limit: limit + 1,
    });
    const cursorAfter = (policy: NamedPolicy): string => toPairCursor(policy.name, placeOf(policy));
    return toPage(rows, { limit, toItem: toNamedPolicy, cursorAfter });
  }

  /**
   * Removes a policy of the application, or without one a shared policy, which only callers for all
   * applications may do. Callbacks that were accepted with it keep their copy.
   * @throws PlatformError `POLICY_NOT_FOUND`; `POLICY_IN_USE` while an endpoint names it
   */
  async remove(key: PolicyKey): Promise<void> {
    const removed = isPolicyKey(key) && (await deletePolicy(this.#db, key));
    await afterCommit(this.#db, () => this.#forget(key));
    if (removed) return;
    throw policyNotFound(key);
  }

  /**
   * Returns the policy that the name means in the application; from memory if it was read a moment
   * ago.
   * @throws PlatformError `POLICY_NOT_FOUND`
   */
  async resolve(reference: PolicyReference): Promise<RetryPolicy> {
    const policy = isPolicyKey(reference)
      ? await this.#cache.find(this.#toCacheKey(reference))
      : undefined;
    if (policy) return policy;
    throw policyNotFound(reference);
  }

  /** Reads policies by the keys of the cache. */
  async #load(keys: readonly string[]): Promise<Map<string, RetryPolicy>> {
    const references = keys.map((key) => {
      const [, application, name = ''] = key.split(separator);
      return { application, name };
    });
    const found = new Map<string, RetryPolicy>();
    for (const { n, policy } of await findPolicies(this.#db, references)) {
      const key = keys[Number(n) - 1];
      if (key !== undefined) found.set(key, fromStoredPolicy(policy));
    }
    return found;
  }

  #toCacheKey({ application, name }: PolicyReference): string {
    return [this.#sharedChanges, application, name].join(separator);
  }

  #forget({ application, name }: PolicyKey): void {
    if (application === undefined) this.#sharedChanges += 1;
    else this.#cache.forget(this.#toCacheKey({ application, name }));
  }
}

/** True if a policy can have these names. No other is looked up in the database. */
function isPolicyKey({ application = '', name }: PolicyKey): boolean {
  return isName(application) && isName(name);
}

function toNamedPolicy({
  application,
  name,
  policy,
  updated_at: updatedAt,
}: PolicyRow): NamedPolicy {
  return {
    application: application ?? undefined,
    name,
    policy: toPolicyInput(fromStoredPolicy(policy)),
    updatedAt,
  };
}

/** Creates the error for a name that no policy has. */
export function policyNotFound({ application, name }: PolicyKey): PlatformError {
  const policy = withApplication(
    `retry policy '${name.slice(0, 64)}'`,
    (application ?? '').slice(0, 64),
  );
  return new PlatformError('POLICY_NOT_FOUND', `${policy} does not exist`);
}

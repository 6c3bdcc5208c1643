import { PlatformError } from '@posthaste/contracts';
import { type Database, type Queryable, type Statement, sqlState } from '@posthaste/postgres';
import { checkName, isName } from '../field-checks.js';
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
import { type PolicyInput, toPolicyInput, toRetryPolicy } from './policy-input.js';
import { fromStoredPolicy, type RetryPolicy, toStoredPolicy } from './retry-policy.js';

/** Retry policy with a name. */
export interface NamedPolicy {
  readonly name: string;
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

interface PolicyRow {
  readonly name: string;
  readonly policy: unknown;
  readonly updated_at: Date;
}

const maxCached = 1_000;
const foreignKeyViolation = '23503';

const putStatement: Statement = {
  name: 'callbacks_policy_put',
  text: `insert into callbacks.policy (name, policy) values ($1, $2)
    on conflict (name) do update set policy = excluded.policy, updated_at = now()
    returning name, policy, updated_at`,
};

const findStatement: Statement = {
  name: 'callbacks_policy_find',
  text: 'select name, policy, updated_at from callbacks.policy where name = any($1::text[])',
};

const listStatement: Statement = {
  name: 'callbacks_policy_list',
  text: 'select name, policy, updated_at from callbacks.policy where name > $1 order by name limit $2',
};

/**
 * Retry policies by name, for all applications. A callback gets a copy of its policy when it is
 * accepted, a callback for an event when the event is: a change applies to later ones only.
 */
export class Policies {
  readonly #db: Database;
  readonly #maxAttempts: number | undefined;
  readonly #cache: LoadingCache<RetryPolicy>;

  constructor(db: Database, options: PoliciesOptions = {}) {
    this.#db = db;
    this.#maxAttempts = options.maxAttempts;
    this.#cache = new LoadingCache({
      ttlMs: options.cacheTtlMs ?? 5_000,
      maxEntries: maxCached,
      now: options.now,
      load: async (names) => {
        const rows = await findPolicies(db, names);
        return new Map(rows.map(({ name, policy }) => [name, fromStoredPolicy(policy)]));
      },
    });
  }

  /**
   * Creates a policy, or replaces the one of this name.
   * @throws PlatformError `REQUEST_INVALID`
   */
  async put(name: string, input: PolicyInput): Promise<NamedPolicy> {
    const faults: FieldFault[] = [];
    checkName('name', name, faults);
    if (name === '') faults.push({ field: 'name', message: 'is empty' });
    if (faults.length > 0) throw requestInvalid(faults);
    const stored = JSON.stringify(toStoredPolicy(toRetryPolicy(input, this.#maxAttempts)));
    const { rows } = await this.#db.query<PolicyRow>(putStatement, [name, stored]);
    this.#cache.forget(name);
    const row = rows[0];
    if (!row) throw new PlatformError('INTERNAL', 'storing a policy returned no row');
    return toNamedPolicy(row);
  }

  /** Returns a policy. @throws PlatformError `POLICY_NOT_FOUND` */
  async get(name: string): Promise<NamedPolicy> {
    const [row] = await findPolicies(this.#db, [name]);
    if (!row) throw policyNotFound(name);
    return toNamedPolicy(row);
  }

  /** Lists policies by name. @throws PlatformError `REQUEST_INVALID` */
  async list(page: PageRequest = {}): Promise<Page<NamedPolicy>> {
    const limit = pageLimit(page);
    const [after] = page.cursor === undefined ? [''] : parsePairCursor(page.cursor);
    const { rows } = await this.#db.query<PolicyRow>(listStatement, [after, limit + 1]);
    const cursorAfter = ({ name }: NamedPolicy): string => toPairCursor(name, '');
    return toPage(rows, { limit, toItem: toNamedPolicy, cursorAfter });
  }

  /**
   * Removes a policy. Callbacks that were accepted with it keep their copy.
   * @throws PlatformError `POLICY_NOT_FOUND`; `POLICY_IN_USE` while an endpoint names it
   */
  async remove(name: string): Promise<void> {
    if (!isName(name)) throw policyNotFound(name);
    const removed = await this.#db
      .query('delete from callbacks.policy where name = $1', [name])
      .catch((error: unknown) => {
        if (sqlState(error) !== foreignKeyViolation) throw error;
        const message = `retry policy '${name}' is used by endpoints; give them another one first`;
        throw new PlatformError('POLICY_IN_USE', message, { cause: error });
      });
    this.#cache.forget(name);
    if (removed.rowCount === 0) throw policyNotFound(name);
  }

  /**
   * Returns the policy of a name; from memory if it was read a moment ago.
   * @throws PlatformError `POLICY_NOT_FOUND`
   */
  async resolve(name: string): Promise<RetryPolicy> {
    const policy = await this.#cache.find(name);
    if (policy) return policy;
    throw policyNotFound(name);
  }
}

async function findPolicies(db: Queryable, names: readonly string[]): Promise<PolicyRow[]> {
  return (await db.query<PolicyRow>(findStatement, [names.filter(isName)])).rows;
}

function toNamedPolicy({ name, policy, updated_at: updatedAt }: PolicyRow): NamedPolicy {
  return { name, policy: toPolicyInput(fromStoredPolicy(policy)), updatedAt };
}

/** Creates the error for a name that no policy has. */
export function policyNotFound(name: string): PlatformError {
  return new PlatformError(
    'POLICY_NOT_FOUND',
    `retry policy '${name.slice(0, 64)}' does not exist`,
  );
}

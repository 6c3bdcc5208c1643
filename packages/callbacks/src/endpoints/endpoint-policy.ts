import type { Queryable } from '@posthaste/postgres';
import { findOwnPolicy } from '../retry/policy-store.js';
import { toStoredPolicy } from '../retry/retry-policy.js';
import type { EndpointFields } from './endpoint-input.js';

/**
 * Columns of the policy of an endpoint:
 *
 * - one of its own: `policy`
 * - a shared one, by its name: `policyName`
 * - one of its application, by its name: `ownPolicyName`. `policy` then has a copy, for workers of
 *   versions that do not know the column; nothing else reads it.
 */
export interface PolicyColumns {
  readonly policy: unknown;
  readonly policyName: string | null;
  readonly ownPolicyName: string | null;
}

/**
 * Returns the columns of a policy. A name means the policy that the application has of this name,
 * else the shared one. The endpoint keeps that one, also if the application gets another later.
 */
export async function toPolicyColumns(
  tx: Queryable,
  { application, policy }: EndpointFields,
): Promise<PolicyColumns> {
  const none = { policy: null, policyName: null, ownPolicyName: null };
  if (typeof policy !== 'string') return { ...none, policy: toStoredPolicy(policy) };
  const own = await findOwnPolicy(tx, { application, name: policy });
  return own
    ? { ...none, policy: own.policy, ownPolicyName: policy }
    : { ...none, policyName: policy };
}

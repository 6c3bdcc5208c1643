import { PlatformError } from '@posthaste/contracts';
import { sqlState } from '@posthaste/postgres';
import { versionOf } from '../entity-version.js';
import type { EventFormat } from '../events/event-format.js';
import { withApplication } from '../field-faults.js';
import { policyNotFound } from '../retry/policies.js';
import type { PolicyInput } from '../retry/policy-input.js';
import { fromStoredPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import { type EndpointFields, toEndpointPolicyInput } from './endpoint-input.js';
import type { EndpointState } from './endpoint-state.js';
import type { EventOrder } from './event-order.js';

const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

/** A named URL that callbacks are sent to. */
export interface Endpoint extends Omit<EndpointFields, 'policy'> {
  readonly id: string;
  /** Its own policy, or the name of a stored one. */
  readonly policy: PolicyInput | string;
  readonly state: EndpointState;
  /** Reason for which it is paused or disabled. */
  readonly stateReason: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Text that is another one after each change; for `ifMatch` of a change. */
  readonly version: string;
}

/** Row of the table `endpoint`. */
export interface EndpointRow {
  readonly id: string;
  readonly application: string;
  readonly name: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly policy: unknown;
  readonly policyName: string | null;
  readonly ownPolicyName: string | null;
  readonly timeoutMs: number;
  readonly ratePerSecond: number | null;
  readonly maxConcurrency: number | null;
  readonly order: EventOrder | null;
  readonly eventFormat: EventFormat;
  readonly notificationEmail: string | null;
  readonly state: EndpointState;
  readonly stateReason: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Columns of the settings of an endpoint, but for its policy. */
export type SettingColumns = Omit<
  EndpointRow,
  'id' | 'policy' | `${string}olicyName` | 'state' | 'stateReason' | `${string}At`
>;

/** Converts settings to columns. */
export function toColumns({ policy: _, order, ...fields }: EndpointFields): SettingColumns {
  return {
    ...fields,
    headers: { ...fields.headers },
    ratePerSecond: fields.ratePerSecond ?? null,
    maxConcurrency: fields.maxConcurrency ?? null,
    notificationEmail: fields.notificationEmail ?? null,
    order: order === 'none' ? null : order,
  };
}

/** Converts a row to the settings of its endpoint. */
export function toFields(row: EndpointRow): EndpointFields {
  return {
    application: row.application,
    name: row.name,
    url: row.url,
    headers: row.headers,
    policy: toPolicy(row),
    timeoutMs: row.timeoutMs,
    ratePerSecond: row.ratePerSecond ?? undefined,
    maxConcurrency: row.maxConcurrency ?? undefined,
    order: row.order ?? 'none',
    eventFormat: row.eventFormat,
    notificationEmail: row.notificationEmail ?? undefined,
  };
}

function toPolicy({ policy, policyName, ownPolicyName }: EndpointRow): RetryPolicy | string {
  return ownPolicyName ?? policyName ?? fromStoredPolicy(policy);
}

/** Converts a row. */
export function toEndpoint(row: EndpointRow): Endpoint {
  const { policy, ...fields } = toFields(row);
  return {
    id: row.id,
    ...fields,
    policy: toEndpointPolicyInput(policy),
    state: row.state,
    stateReason: row.stateReason ?? undefined,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    version: versionOf(row),
  };
}

/**
 * Throws the error of a write, translated if the write broke a constraint.
 * @throws PlatformError `ENDPOINT_EXISTS`, `POLICY_NOT_FOUND`
 */
export function rethrowWriteError(
  error: unknown,
  { application, name, policy }: EndpointFields,
): never {
  switch (sqlState(error)) {
    case uniqueViolation: {
      const message = `${withApplication(`endpoint '${name}'`, application)} already exists`;
      throw new PlatformError('ENDPOINT_EXISTS', message, { cause: error });
    }
    case foreignKeyViolation:
      throw policyNotFound({ application, name: typeof policy === 'string' ? policy : '' });
    default:
      throw error;
  }
}

import {
  type ExponentialInput,
  type PhaseInput,
  type PolicyInput,
  type RetryPolicy,
  toRetryPolicy,
} from '@posthaste/callbacks';
import { type Static, type TUnsafe, Type } from 'typebox';
import { noUnknownKeys } from '../schemas/field-schemas.js';

/** Retry policy in JSON, with exactly one of the two members. */
export interface RetryRule {
  readonly phases?: readonly PhaseInput[];
  readonly exponential?: ExponentialInput['exponential'];
}

/** Member `retry` of requests: a rule, or the name of a retry policy in its place. */
export interface RetryChoice extends RetryRule {
  readonly policy?: string;
}

const maxMs = 10 * 365 * 24 * 3_600_000;

const Phase = Type.Object(
  {
    retries: Type.Integer({
      minimum: 0,
      maximum: 100_000,
      description: 'Number of attempts in this phase.',
    }),
    delayMs: Type.Number({
      minimum: 0,
      maximum: 9_223_372_036_854,
      description: 'Exact wait before each attempt, in ms, without jitter. Up to six decimals.',
    }),
  },
  noUnknownKeys,
);

const delayField = (description: string) =>
  Type.Optional(Type.Number({ minimum: 1, maximum: maxMs, description }));

const ruleFields = {
  phases: Type.Optional(
    Type.Array(Phase, {
      maxItems: 100,
      description: 'Phases run one after another. With an empty list: one attempt, no retries.',
      examples: [
        [
          { retries: 3, delayMs: 1_000 },
          { retries: 10, delayMs: 60_000 },
        ],
      ],
    }),
  ),
  exponential: Type.Optional(
    Type.Object(
      {
        initialDelayMs: delayField('First wait, in ms. Default 5,000.'),
        factor: Type.Optional(
          Type.Number({
            minimum: 1,
            maximum: 100,
            description: 'Factor by which each wait is longer than the one before. Default 3.',
          }),
        ),
        maxDelayMs: delayField('Longest wait, in ms. Default 14,400,000 (4 hours).'),
        maxRetries: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 100_000,
            description: 'Number of attempts after the first. Default 10.',
          }),
        ),
        jitter: Type.Optional(
          Type.Number({
            minimum: 0,
            maximum: 1,
            description: 'Random share of each wait, from 0 to 1. Default 0.2.',
          }),
        ),
        maxAgeMs: delayField(
          'Time after the acceptance, in ms, after which no attempt starts. Default: no limit.',
        ),
      },
      {
        ...noUnknownKeys,
        description: 'Waits that grow by a factor.',
        examples: [{ initialDelayMs: 1_000, factor: 2, maxDelayMs: 3_600_000, maxRetries: 12 }],
      },
    ),
  ),
};

const exactlyOne = { ...noUnknownKeys, minProperties: 1, maxProperties: 1 } as const;

const Rule = Type.Object(ruleFields, {
  ...exactlyOne,
  title: 'RetryRule',
  description: 'Either `phases` or `exponential`.',
});

const Choice = Type.Object(
  {
    ...ruleFields,
    policy: Type.Optional(
      Type.String({
        description: 'Name of a retry policy: one of the application, else a shared one.',
        examples: ['patient'],
      }),
    ),
  },
  {
    ...exactlyOne,
    title: 'RetryChoice',
    description: 'One of `phases`, `exponential` and `policy`.',
  },
);

export const retryRuleSchema: TUnsafe<RetryRule> & { type: 'object' } = asObjectSchema(Rule);
export const retryChoiceSchema: TUnsafe<RetryChoice> & { type: 'object' } = asObjectSchema(Choice);

/** Types a schema as that of an object: `Type.Unsafe` hides `type`, which `nullable` needs. */
function asObjectSchema<S extends typeof Rule | typeof Choice>(
  schema: S,
): TUnsafe<Static<S>> & { type: 'object' } {
  return { ...Type.Unsafe<Static<S>>(schema), type: 'object' };
}

/**
 * Converts a rule to the input of the callbacks package. The schema ensures that it has one member.
 */
export function ruleToPolicyInput({ phases, exponential }: RetryRule): PolicyInput {
  return phases ? { phases } : { exponential: exponential ?? {} };
}

/** Converts `retry` of an endpoint, which stores a rule or the name of a policy. */
export function toPolicyOrName(retry: RetryChoice): PolicyInput | string {
  return retry.policy ?? ruleToPolicyInput(retry);
}

/** Inverse of {@link toPolicyOrName}. */
export function toRetryChoice(policy: PolicyInput | string): RetryChoice {
  return typeof policy === 'string' ? { policy } : policy;
}

/** Method of `Policies` that resolves names. */
export interface PolicyResolver {
  /** @throws PlatformError `POLICY_NOT_FOUND` */
  resolve(reference: { readonly application: string; readonly name: string }): Promise<RetryPolicy>;
}

/** Policies that an application may name. */
export interface NameablePolicies {
  readonly application: string;
  readonly policies: PolicyResolver;
}

/**
 * Returns the policy of a rule or of a name.
 * @throws PlatformError `POLICY_NOT_FOUND`, `REQUEST_INVALID`
 */
export async function resolveRetry(
  retry: RetryChoice,
  { application, policies }: NameablePolicies,
): Promise<RetryPolicy> {
  return retry.policy === undefined
    ? // How many attempts it may ask for is checked with the callback.
      toRetryPolicy(ruleToPolicyInput(retry), Number.POSITIVE_INFINITY)
    : policies.resolve({ application, name: retry.policy });
}

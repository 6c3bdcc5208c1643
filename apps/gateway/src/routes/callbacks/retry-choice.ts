import {
  type ExponentialInput,
  type PhaseInput,
  type PolicyInput,
  type RetryPolicy,
  toRetryPolicy,
} from '@posthaste/callbacks';
import { type Static, type TUnsafe, Type } from 'typebox';
import { strict } from '../schemas/field-schemas.js';

/** A retry policy on the wire: exactly one of the two. */
export interface RetryRule {
  readonly phases?: readonly PhaseInput[];
  readonly exponential?: ExponentialInput['exponential'];
}

/** The same, or the name of a policy in its place. */
export interface RetryChoice extends RetryRule {
  readonly policy?: string;
}

const maxMs = 10 * 365 * 24 * 3_600_000;

const Phase = Type.Object(
  {
    retries: Type.Integer({ minimum: 0, maximum: 100_000, description: 'Attempts in this phase.' }),
    delayMs: Type.Number({
      minimum: 0,
      maximum: 9_223_372_036_854,
      description: 'Wait before each of them: exact, never varied. Up to six decimals.',
    }),
  },
  strict,
);

const wait = (description: string) =>
  Type.Optional(Type.Number({ minimum: 1, maximum: maxMs, description }));

const rules = {
  phases: Type.Optional(
    Type.Array(Phase, {
      maxItems: 100,
      description: 'Run one after another. None at all: one attempt, no retries.',
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
        initialDelayMs: wait('The first wait. Default 5,000.'),
        factor: Type.Optional(
          Type.Number({
            minimum: 1,
            maximum: 100,
            description: 'Each wait is this many times the one before. Default 3.',
          }),
        ),
        maxDelayMs: wait('The longest wait. Default 14,400,000 (4 hours).'),
        maxRetries: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 100_000,
            description: 'Attempts after the first. Default 10.',
          }),
        ),
        jitter: Type.Optional(
          Type.Number({
            minimum: 0,
            maximum: 1,
            description: 'The share of each wait that is left to chance. Default 0.2.',
          }),
        ),
        maxAgeMs: wait('No attempt starts later after the acceptance. Default: no limit.'),
      },
      {
        ...strict,
        description: 'Waits that grow.',
        examples: [{ initialDelayMs: 1_000, factor: 2, maxDelayMs: 3_600_000, maxRetries: 12 }],
      },
    ),
  ),
};

const exactlyOne = { ...strict, minProperties: 1, maxProperties: 1 } as const;

const Rule = Type.Object(rules, {
  ...exactlyOne,
  title: 'RetryRule',
  description: 'Either `phases` or `exponential`.',
});

const Choice = Type.Object(
  {
    ...rules,
    policy: Type.Optional(
      Type.String({ description: 'The name of a retry policy.', examples: ['patient'] }),
    ),
  },
  {
    ...exactlyOne,
    title: 'RetryChoice',
    description: 'One of `phases`, `exponential` and `policy`.',
  },
);

export const retryRuleSchema: TUnsafe<RetryRule> & { type: 'object' } = typed(Rule);
export const retryChoiceSchema: TUnsafe<RetryChoice> & { type: 'object' } = typed(Choice);

function typed<S extends typeof Rule | typeof Choice>(
  schema: S,
): TUnsafe<Static<S>> & { type: 'object' } {
  return { ...Type.Unsafe<Static<S>>(schema), type: 'object' };
}

/** The rule as the domain takes it; the schema has seen to it that there is one. */
export function toPolicyInput({ phases, exponential }: RetryRule): PolicyInput {
  return phases ? { phases } : { exponential: exponential ?? {} };
}

/** A policy of an endpoint, which is a rule or a name. */
export function toPolicyChoice(retry: RetryChoice): PolicyInput | string {
  return retry.policy ?? toPolicyInput(retry);
}

/** The inverse of {@link toPolicyChoice}. */
export function toRetryChoice(policy: PolicyInput | string): RetryChoice {
  return typeof policy === 'string' ? { policy } : policy;
}

/** What this needs of the named policies. */
export interface PolicyResolver {
  /** @throws PlatformError `POLICY_NOT_FOUND` */
  resolve(name: string): Promise<RetryPolicy>;
}

/** The policy itself. @throws PlatformError `POLICY_NOT_FOUND`, `REQUEST_INVALID` */
export async function resolveRetry(
  retry: RetryChoice,
  policies: PolicyResolver,
): Promise<RetryPolicy> {
  return retry.policy === undefined
    ? toRetryPolicy(toPolicyInput(retry))
    : policies.resolve(retry.policy);
}

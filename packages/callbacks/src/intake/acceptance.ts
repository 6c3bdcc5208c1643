import { type IdempotencyClaim, newId, PlatformError } from '@posthaste/contracts';
import type { RequestRules } from '../field-checks.js';
import { type CallbackInput, type CallbackRequest, toCallbackRequest } from '../request/request.js';
import type { Accepted } from './group-commit.js';
import type { Intake } from './intake.js';

export interface AcceptanceDeps {
  readonly intake: Intake;
  readonly rules: RequestRules;
  /** Whether the application has a secret of this name. */
  readonly secretExists: (application: string, name: string) => Promise<boolean>;
}

/** A callback that is stored, with the request as it was understood. */
export interface AcceptedCallback extends Accepted {
  readonly request: CallbackRequest;
}

/** One of several callbacks that are handed in together. */
export interface AcceptanceItem {
  /** May be still on its way; one that fails is the outcome of this item. */
  readonly input: CallbackInput | Promise<CallbackInput>;
  readonly idempotency: IdempotencyClaim | undefined;
}

/** Takes callbacks: checks them, and answers once they are committed. */
export interface Acceptance {
  /** @throws PlatformError `CALLBACK_INVALID`, `SECRET_NOT_FOUND`, and those of `Intake.add` */
  accept(input: CallbackInput, idempotency?: IdempotencyClaim): Promise<AcceptedCallback>;
  /**
   * Takes several, those of one queue in this order. Gives the outcome of each: one that is refused
   * does not keep the others back.
   * @throws PlatformError those of `Intake.addAll`, when none could be stored
   */
  acceptAll(items: readonly AcceptanceItem[]): Promise<PromiseSettledResult<AcceptedCallback>[]>;
}

export function createAcceptance({ intake, rules, secretExists }: AcceptanceDeps): Acceptance {
  const toRequest = async (input: CallbackInput): Promise<CallbackRequest> => {
    const request = toCallbackRequest(input, rules);
    const { secret, application } = request;
    if (secret !== undefined && !(await secretExists(application, secret))) {
      throw new PlatformError('SECRET_NOT_FOUND', `no signing secret ${secret}`);
    }
    return request;
  };
  return {
    async accept(input, idempotency) {
      const request = await toRequest(input);
      const accepted = await intake.add({ id: newId(), request, idempotency });
      return { ...accepted, request };
    },
    async acceptAll(items) {
      const checked = await Promise.allSettled(
        items.map(async ({ input, idempotency }) => ({
          id: newId(),
          request: await toRequest(await input),
          idempotency,
        })),
      );
      const ready = checked.flatMap((item) => (item.status === 'fulfilled' ? [item.value] : []));
      const stored = ready.length > 0 ? await intake.addAll(ready) : [];
      const outcomes = stored.values();
      return checked.map((item) => {
        if (item.status === 'rejected') return item;
        const outcome = outcomes.next().value;
        if (outcome?.status !== 'fulfilled') return { status: 'rejected', reason: outcome?.reason };
        const { request } = item.value;
        return { status: 'fulfilled', value: { ...outcome.value, request } };
      });
    },
  };
}

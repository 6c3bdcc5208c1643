import { type IdempotencyClaim, newId, PlatformError } from '@posthaste/contracts';
import type { RequestRules } from '../field-checks.js';
import { withApplication } from '../field-faults.js';
import type { RecipientRegistry } from '../mail/recipient-registry.js';
import { type CallbackInput, type CallbackRequest, toCallbackRequest } from '../request/request.js';
import type { Accepted } from './group-commit.js';
import type { Intake } from './intake.js';

/** Dependencies of an {@link Acceptance}. */
export interface AcceptanceDeps {
  readonly intake: Intake;
  readonly rules: RequestRules;
  /** True if the application has a secret of this name. */
  readonly secretExists: (application: string, name: string) => Promise<boolean>;
  /** Recipients of mails that callers name. Default: the worker stores them, as untrusted ones. */
  readonly recipients?: Pick<RecipientRegistry, 'register'> | undefined;
}

/** Callback that is stored, with its checked request. */
export interface AcceptedCallback extends Accepted {
  readonly request: CallbackRequest;
}

/** One of several callbacks that are accepted together. */
export interface AcceptanceItem {
  /** A promise that is rejected makes its reason the outcome of this item. */
  readonly input: CallbackInput | Promise<CallbackInput>;
  readonly idempotency: IdempotencyClaim | undefined;
}

/** Entry point for callbacks: checks them and stores them. */
export interface Acceptance {
  /**
   * Checks a callback and stores it; resolves once it is committed.
   * @throws PlatformError `CALLBACK_INVALID`, `SECRET_NOT_FOUND`, and those of `Intake.add`
   */
  accept(input: CallbackInput, idempotency?: IdempotencyClaim): Promise<AcceptedCallback>;
  /**
   * Checks and stores several callbacks; those of one queue keep this order. Returns the outcome of
   * each: one that is refused does not affect the others.
   * @throws PlatformError those of `Intake.addAll`, when none could be stored
   */
  acceptAll(items: readonly AcceptanceItem[]): Promise<PromiseSettledResult<AcceptedCallback>[]>;
}

/** Creates an acceptance that stores callbacks through `intake`. */
export function createAcceptance({
  intake,
  rules,
  secretExists,
  recipients,
}: AcceptanceDeps): Acceptance {
  const toRequest = async (input: CallbackInput): Promise<CallbackRequest> => {
    const request = toCallbackRequest(input, rules);
    const { secret, application, notificationEmail } = request;
    if (secret !== undefined && !(await secretExists(application, secret))) {
      const named = withApplication(`signing secret '${secret}'`, application);
      const message = `${named} does not exist; create it, or check the name`;
      throw new PlatformError('SECRET_NOT_FOUND', message);
    }
    if (notificationEmail !== undefined && recipients) {
      const { isRecipientTrusted: isTrusted = false } = input;
      await recipients.register({ application, address: notificationEmail, isTrusted });
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

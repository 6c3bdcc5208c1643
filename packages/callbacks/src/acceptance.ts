import { newId, PlatformError } from '@posthaste/contracts';
import type { Accepted, Intake } from './intake.js';
import type { IdempotencyClaim } from './intake-store.js';
import {
  type CallbackInput,
  type CallbackRequest,
  type RequestRules,
  toCallbackRequest,
} from './request.js';

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

/** Takes callbacks: checks them, and answers once they are committed. */
export interface Acceptance {
  /** @throws PlatformError `CALLBACK_INVALID`, `SECRET_NOT_FOUND`, and those of `Intake.add` */
  accept(input: CallbackInput, idempotency?: IdempotencyClaim): Promise<AcceptedCallback>;
}

export function createAcceptance({ intake, rules, secretExists }: AcceptanceDeps): Acceptance {
  return {
    async accept(input, idempotency) {
      const request = toCallbackRequest(input, rules);
      const { secret, application } = request;
      if (secret !== undefined && !(await secretExists(application, secret))) {
        throw new PlatformError('SECRET_NOT_FOUND', `no signing secret ${secret}`);
      }
      const accepted = await intake.add({ id: newId(), request, idempotency });
      return { ...accepted, request };
    },
  };
}

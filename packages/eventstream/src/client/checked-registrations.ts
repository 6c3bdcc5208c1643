import type { EventCallback, Registration } from '../consume/registration.js';
import type { RetryOptions } from '../consume/retry-policy.js';
import type { PayloadSchemas } from './payload-schemas.js';

type IsRetryable = NonNullable<RetryOptions['isRetryable']>;

const always: IsRetryable = () => true;

/**
 * Registrations whose handlers only get payloads that fit their schema. Other events become dead
 * letters without another try, because an event does not change. Raw handlers get everything.
 */
export class CheckedRegistrations {
  readonly #schemas: PayloadSchemas;
  /** Wrappers by function: registrations are compared, so equal functions need equal wrappers. */
  readonly #wrapped = new WeakMap<IsRetryable, IsRetryable>();

  constructor(schemas: PayloadSchemas) {
    this.#schemas = schemas;
  }

  /** Returns the registration with payload checks. @param topic without prefix */
  check(registration: Registration, topic: string): Registration {
    const { handler, retry } = registration;
    if (handler.kind === 'raw' || !this.#schemas.covers(topic)) return registration;
    return {
      ...registration,
      handler: { kind: 'event', callback: this.#wrapCallback(handler.callback, topic) },
      retry: { ...retry, isRetryable: this.#wrap(retry?.isRetryable ?? always) },
    };
  }

  #wrapCallback(callback: EventCallback, topic: string): EventCallback {
    return (ctx, event, error) => {
      if (event !== null) this.#schemas.check(topic, event.name, event.payload);
      return callback(ctx, event, error);
    };
  }

  #wrap(isRetryable: IsRetryable): IsRetryable {
    const present = this.#wrapped.get(isRetryable);
    if (present) return present;
    const wrapped: IsRetryable = (error) => !this.#schemas.hasThrown(error) && isRetryable(error);
    this.#wrapped.set(isRetryable, wrapped);
    return wrapped;
  }
}

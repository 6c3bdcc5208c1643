import { newId } from '@posthaste/contracts';
import type { Delivery, DeliveryRequest } from '../src/delivery/delivery.js';
import { toFairnessKey } from '../src/delivery/fairness-key.js';
import type { EndpointSettings } from '../src/dispatch/admission.js';
import { singleAttempt } from '../src/retry/retry-policy.js';

/** Fields of a delivery that a test sets. */
export type TestDelivery = Partial<Omit<Delivery, 'request'>> & {
  readonly request?: Partial<DeliveryRequest>;
};

/** Returns a delivery as from a claim: without a queue and not attempted before. */
export function deliveryOf({ request, ...more }: TestDelivery = {}): Delivery {
  const { application = 'shop', endpointId } = more;
  return {
    callbackId: newId(),
    leaseToken: newId(),
    ordered: false,
    application,
    queue: undefined,
    endpointId,
    leaseIndex: 0,
    fairnessKey: toFairnessKey({ origin: 'http://example.com', application, endpointId }),
    failures: 0,
    unknowns: 0,
    cancelled: false,
    largeBodyBytes: undefined,
    echo: 0,
    createdAtMs: 0,
    expiresAtMs: undefined,
    ...more,
    request: {
      url: 'http://example.com/',
      method: 'POST',
      headers: undefined,
      body: undefined,
      policy: singleAttempt,
      timeoutMs: 1_000,
      secret: undefined,
      notificationEmail: undefined,
      ...request,
    },
  };
}

/** Returns the settings of an active endpoint without limits. */
export function settingsOf(more: Partial<EndpointSettings> = {}): EndpointSettings {
  return {
    active: true,
    headers: {},
    maxConcurrency: undefined,
    ratePerSecond: undefined,
    ...more,
  };
}

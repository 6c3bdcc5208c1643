import type { Applications } from '@posthaste/contracts';
import type { SubscriptionFault } from '../filters/filter-fault.js';

/** Schema of a payload. */
export type PayloadFilter = Readonly<Record<string, unknown>>;

/** Conditions of a subscription. An event must match all that are given. */
export interface SubscriptionFields {
  /** Pattern of event names, see `EventPattern`: `order.created`, `order.*`, `order.**`. */
  readonly eventName: string;
  /** Exact namespace. Default: any. */
  readonly namespace?: string | null | undefined;
  /**
   * JSON Schema that the payload must satisfy, see filter-keywords.ts. Numbers that a double does not
   * hold are bigints or `JsonNumber`s. Default: any payload.
   */
  readonly filter?: PayloadFilter | null | undefined;
}

/** A new subscription. */
export interface SubscriptionInput extends SubscriptionFields {
  readonly endpointId: string;
}

/** A subscription of an endpoint to the events that match its conditions. */
export interface Subscription {
  readonly id: string;
  readonly endpointId: string;
  readonly eventName: string;
  readonly namespace: string | undefined;
  /** As it was given; its numbers are as `parseJsonWithDigits` returns them. */
  readonly filter: PayloadFilter | undefined;
  /** Why an event was not delivered for it, until its next change. Undefined: there is no fault. */
  readonly fault: SubscriptionFault | undefined;
  readonly createdAt: Date;
  /** Text that is another one after each change; for `ifMatch` of a change. */
  readonly version: string;
}

/** Filter of subscriptions. */
export interface SubscriptionFilter {
  /** Applications whose subscriptions the caller may see. */
  readonly within: Applications;
  /** Only those of this endpoint. */
  readonly endpointId?: string | undefined;
}

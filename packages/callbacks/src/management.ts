/*
 * `@posthaste/callbacks/management`: an entry point of its own because it loads drizzle, which a
 * process that only accepts or delivers callbacks does not need.
 */
export type { Endpoint } from './endpoints/endpoint-row.js';
export {
  type EndpointFilter,
  Endpoints,
  type EndpointsDeps,
  type NewEndpoint,
} from './endpoints/endpoints.js';
export type {
  Subscription,
  SubscriptionFields,
  SubscriptionInput,
} from './subscriptions/subscription.js';
export { Subscriptions } from './subscriptions/subscriptions.js';

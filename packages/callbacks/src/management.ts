/*
 * `@posthaste/callbacks/management`: an entry point of its own because it loads drizzle, which a
 * process that only accepts or delivers callbacks does not need.
 */
export {
  type Endpoint,
  type EndpointFilter,
  Endpoints,
  type EndpointsDeps,
  type NewEndpoint,
} from './endpoints/endpoints.js';
export {
  type Subscription,
  type SubscriptionFields,
  type SubscriptionInput,
  Subscriptions,
} from './subscriptions/subscriptions.js';

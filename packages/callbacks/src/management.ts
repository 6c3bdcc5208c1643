/*
 * `@posthaste/callbacks/management`: apart from the rest because it loads drizzle, which who only
 * takes in or delivers callbacks has no use for.
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

/**
 * Limits of every application that has none of its own. The gateway enforces them, and the worker
 * measures what they are about.
 */
export const applicationSettings = {
  maxApplicationRequests: {
    name: 'POSTHASTE_APPLICATION_MAX_REQUESTS',
    type: 'integer',
    min: 0,
    max: 9_007_199_254_740_991,
    unit: 'requests per second',
    default: 0,
    meaning:
      'Requests that one gateway process accepts from or for one application. An application may have limits of its own: `PATCH /v1/applications`. 0 is no limit.',
  },
  maxApplicationDeliveries: {
    name: 'POSTHASTE_APPLICATION_MAX_DELIVERIES',
    type: 'integer',
    min: 0,
    max: 9_007_199_254_740_991,
    unit: 'callbacks per second',
    default: 0,
    meaning:
      'Callbacks that one gateway process accepts for one application; each of a batch counts. Callbacks that events make are not counted. 0 is no limit.',
  },
  maxApplicationEvents: {
    name: 'POSTHASTE_APPLICATION_MAX_EVENTS',
    type: 'integer',
    min: 0,
    max: 9_007_199_254_740_991,
    unit: 'events per second',
    default: 0,
    meaning:
      'Events that one gateway process accepts from one application; each of a list counts. 0 is no limit.',
  },
  maxApplicationBacklog: {
    name: 'POSTHASTE_APPLICATION_MAX_BACKLOG',
    type: 'integer',
    min: 0,
    max: 9_007_199_254_740_991,
    unit: 'callbacks',
    default: 0,
    meaning:
      'Callbacks of one application that are not finished, from which on it gets no more. Measured every 5 seconds, so it may be exceeded by what is accepted in that time. 0 is no limit.',
  },
  maxApplicationEndpoints: {
    name: 'POSTHASTE_APPLICATION_MAX_ENDPOINTS',
    type: 'integer',
    min: 0,
    max: 9_007_199_254_740_991,
    unit: 'endpoints',
    default: 0,
    meaning:
      'Endpoints of one application, from which on it gets no more. Measured every 5 seconds. 0 is no limit.',
  },
  maxApplicationStoredBytes: {
    name: 'POSTHASTE_APPLICATION_MAX_STORED_BYTES',
    type: 'integer',
    min: 0,
    max: 9_007_199_254_740_991,
    unit: 'bytes',
    default: 0,
    meaning:
      'Bytes of the stored callbacks, answers and events of one application, from which on it gets no more. Estimated from samples every 30 seconds. 0 is no limit.',
  },
} as const;

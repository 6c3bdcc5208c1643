/** What the gateway reads: where it listens, who may call, and the limits of a request. */
export const gatewaySettings = {
  host: {
    name: 'POSTHASTE_HOST',
    type: 'string',
    default: '127.0.0.1',
    meaning: 'The address to listen on. `0.0.0.0` or `::` is every one of the machine.',
  },
  port: {
    name: 'POSTHASTE_PORT',
    type: 'integer',
    min: 0,
    max: 65_535,
    default: 8_080,
    meaning: 'The port to listen on. 0 takes any free one.',
  },
  access: {
    name: 'POSTHASTE_ACCESS',
    type: 'choice',
    choices: ['loopback', 'keys'],
    meaning:
      '`keys`: every route but health and documentation needs an API key. `loopback`: no key, but only callers on this machine; refused on any other address. Not set: `loopback` on a loopback address, else `keys`. Behind a reverse proxy on the same machine, set `keys`.',
  },
  allowedHosts: {
    name: 'POSTHASTE_ALLOWED_HOSTS',
    type: 'list',
    items: 'host',
    default: [],
    meaning:
      'With `loopback` access: names in the Host header that are answered besides localhost, 127.0.0.1 and [::1].',
  },
  corsOrigins: {
    name: 'POSTHASTE_CORS_ORIGINS',
    type: 'list',
    items: 'origin',
    default: [],
    meaning: 'Origins whose web pages may call the API. Empty: none but its own.',
  },
  trustedProxies: {
    name: 'POSTHASTE_TRUSTED_PROXIES',
    type: 'list',
    items: 'network',
    default: [],
    meaning:
      'Proxies whose X-Forwarded-For is believed. Rate limits by address need it behind a load balancer.',
  },
  maxRequestsPerSecond: {
    name: 'POSTHASTE_RATE_LIMIT',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    unit: 'requests per second',
    default: 0,
    meaning:
      'What one API key, or without one a client address, may ask of one gateway process. 0 is no limit.',
  },
  maxBodyBytes: {
    name: 'POSTHASTE_BODY_LIMIT',
    type: 'integer',
    min: 1_024,
    max: 268_435_456,
    unit: 'bytes',
    default: 1_048_576,
    meaning: 'The largest request body. One byte more is answered with 413.',
  },
  maxHeaderBytes: {
    name: 'POSTHASTE_HEADER_LIMIT',
    type: 'integer',
    min: 1_024,
    max: 1_048_576,
    unit: 'bytes',
    default: 16_384,
    meaning: 'The most that request line and headers may take. More is answered with 431.',
  },
  headersTimeoutMs: {
    name: 'POSTHASTE_HEADERS_TIMEOUT',
    type: 'duration',
    min: 100,
    max: 600_000,
    default: 10_000,
    meaning:
      'How long the headers of a request may take to arrive. At most POSTHASTE_REQUEST_TIMEOUT.',
  },
  requestTimeoutMs: {
    name: 'POSTHASTE_REQUEST_TIMEOUT',
    type: 'duration',
    min: 100,
    max: 3_600_000,
    default: 30_000,
    meaning: 'How long a whole request, body included, may take to arrive.',
  },
  keepAliveTimeoutMs: {
    name: 'POSTHASTE_KEEP_ALIVE_TIMEOUT',
    type: 'duration',
    min: 1_000,
    max: 3_600_000,
    default: 72_000,
    meaning:
      'How long an idle connection is kept. Longer than that of the load balancer in front, or it meets connections that just closed.',
  },
  stallTimeoutMs: {
    name: 'POSTHASTE_STALL_TIMEOUT',
    type: 'duration',
    min: 1_000,
    max: 3_600_000,
    default: 120_000,
    meaning:
      'How long nothing may move on a connection while a request is in hand, before it is closed: its client does not read the answer. Above the 15s between signs of life for who follows events.',
  },
  maxConnections: {
    name: 'POSTHASTE_MAX_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    unit: 'connections',
    default: 10_000,
    meaning: 'The most connections at a time. Further ones are closed at once.',
  },
  maxFollowers: {
    name: 'POSTHASTE_MAX_FOLLOWERS',
    type: 'integer',
    min: 0,
    max: 100_000,
    unit: 'clients',
    default: 200,
    meaning:
      'The most clients that follow events of one gateway process at a time (server-sent events). Further ones are answered with 503.',
  },
  maxTopics: {
    name: 'POSTHASTE_MAX_TOPICS',
    type: 'integer',
    min: 0,
    max: 100_000,
    unit: 'topics',
    default: 1_000,
    meaning:
      'How many topics there may be in the event log before `POST /v1/events` makes no further ones. Topics stay, and readers of all of them look at every one.',
  },
  maxEventLoopDelayMs: {
    name: 'POSTHASTE_MAX_EVENT_LOOP_DELAY',
    type: 'duration',
    min: 0,
    max: 60_000,
    default: 1_000,
    meaning:
      'When the process falls behind by more than this, requests are answered with 503 until it has caught up. 0 is never.',
  },
  maxHeapPercent: {
    name: 'POSTHASTE_MAX_HEAP_PERCENT',
    type: 'integer',
    min: 0,
    max: 100,
    unit: 'percent',
    default: 90,
    meaning:
      'When more of the JavaScript heap is in use, requests are answered with 503. 0 is never.',
  },
  docs: {
    name: 'POSTHASTE_DOCS',
    type: 'boolean',
    default: true,
    meaning: 'Whether the API documentation is served on /docs and /openapi.json.',
  },
  logRequests: {
    name: 'POSTHASTE_LOG_REQUESTS',
    type: 'boolean',
    default: false,
    meaning:
      'Log a line for every request. Otherwise only for those that failed in the server; refused ones at level debug.',
  },
} as const;

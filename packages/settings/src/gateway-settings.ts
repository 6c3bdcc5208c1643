/** Settings of the gateway: its address, access to it, and the limits of requests. */
export const gatewaySettings = {
  host: {
    name: 'POSTHASTE_HOST',
    type: 'string',
    default: '127.0.0.1',
    meaning: 'Address to listen on. `0.0.0.0` or `::` is every address of the machine.',
  },
  port: {
    name: 'POSTHASTE_PORT',
    type: 'integer',
    min: 0,
    max: 65_535,
    default: 8_080,
    meaning: 'Port to listen on. 0 is any free port.',
  },
  access: {
    name: 'POSTHASTE_ACCESS',
    type: 'choice',
    choices: ['loopback', 'keys'],
    meaning:
      '`keys`: every route except health and documentation needs an API key. `loopback`: no key is needed, but only callers on this machine are served; refused unless POSTHASTE_HOST is a loopback address. Not set: `loopback` on a loopback address, else `keys`. Behind a reverse proxy on the same machine, set `keys`.',
  },
  defaultApplication: {
    name: 'POSTHASTE_DEFAULT_APPLICATION',
    type: 'string',
    default: '',
    meaning:
      'Application of requests that name none and come from a caller for all applications. With one tenant, nobody needs to name it. Its endpoints also get the events of records that name no application, so the worker reads it too.',
  },
  allowedHosts: {
    name: 'POSTHASTE_ALLOWED_HOSTS',
    type: 'list',
    items: 'host',
    default: [],
    meaning:
      'With `loopback` access: names that the Host header may have besides localhost, 127.0.0.1 and [::1].',
  },
  corsOrigins: {
    name: 'POSTHASTE_CORS_ORIGINS',
    type: 'list',
    items: 'origin',
    default: [],
    meaning:
      'Origins whose web pages may call the API. Empty: only its own. An API key that such a page sends may have the scopes `realtime:publish` and `realtime:subscribe` only.',
  },
  trustedProxies: {
    name: 'POSTHASTE_TRUSTED_PROXIES',
    type: 'list',
    items: 'network',
    default: [],
    meaning:
      'Proxies whose X-Forwarded-For header is trusted. Behind a load balancer, rate limits by address need this.',
  },
  maxRequestsPerSecond: {
    name: 'POSTHASTE_RATE_LIMIT',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    unit: 'requests per second',
    default: 30_000,
    meaning:
      'Requests that one gateway process accepts from one API key; with `loopback` access, from one client address. The default is more than a process can store on a machine of two cores: it stops floods of requests that cost less. 0 is no limit.',
  },
  maxReadsPerSecond: {
    name: 'POSTHASTE_READ_RATE_LIMIT',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    unit: 'requests per second',
    default: 100,
    meaning:
      'Requests per second that read (GET and HEAD) which one gateway process begins for one API key; with `loopback` access, for one client address. Faster ones wait for their turn for up to a second, and are then refused. 0 is no limit.',
  },
  maxFaultsPerSecond: {
    name: 'POSTHASTE_FAULT_RATE_LIMIT',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    unit: 'requests per second',
    default: 50,
    meaning:
      'Faulty and refused requests (statuses 400, 401, 413, 415, 422 and 429) of one API key, or of one client address without a key, that one gateway process answers at once. Answers to more are held back, for up to 10 seconds. 4 KiB of a faulty body, and ten faulty items of a batch, count as a request. 0 is no limit.',
  },
  maxRequestsPerSecondWithoutKey: {
    name: 'POSTHASTE_RATE_LIMIT_WITHOUT_KEY',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    unit: 'requests per second',
    default: 200,
    meaning:
      'With `keys` access: requests that one gateway process accepts from one client address without a known API key, such as those for the documentation and those with a wrong key. Health checks are not counted. 0 is no limit.',
  },
  maxPipelined: {
    name: 'POSTHASTE_MAX_PIPELINED',
    type: 'integer',
    min: 1,
    max: 1_000,
    unit: 'requests',
    default: 16,
    meaning:
      'Most requests that one connection may have in hand: sent before the answers to those before. Of more, these are answered, and then the connection is closed.',
  },
  maxHops: {
    name: 'POSTHASTE_MAX_HOPS',
    type: 'integer',
    min: 0,
    max: 98,
    unit: 'deliveries',
    default: 5,
    meaning:
      'Length of a chain of deliveries to the platform itself, each caused by the one before. A request past it is refused. 0 refuses every request of a delivery.',
  },
  maxBodyBytes: {
    name: 'POSTHASTE_BODY_LIMIT',
    type: 'integer',
    min: 1_024,
    max: 268_435_456,
    unit: 'bytes',
    default: 1_048_576,
    meaning: 'Largest request body. A larger one is answered with 413.',
  },
  maxHeaderBytes: {
    name: 'POSTHASTE_HEADER_LIMIT',
    type: 'integer',
    min: 1_024,
    max: 1_048_576,
    unit: 'bytes',
    default: 32_768,
    meaning: 'Largest size of request line and headers together. More is answered with 431.',
  },
  headersTimeoutMs: {
    name: 'POSTHASTE_HEADERS_TIMEOUT',
    type: 'duration',
    min: 100,
    max: 600_000,
    default: 10_000,
    meaning:
      'Longest time in which the headers of a request must arrive. At most POSTHASTE_REQUEST_TIMEOUT.',
  },
  requestTimeoutMs: {
    name: 'POSTHASTE_REQUEST_TIMEOUT',
    type: 'duration',
    min: 100,
    max: 3_600_000,
    default: 30_000,
    meaning: 'Longest time in which a whole request must arrive, including its body.',
  },
  keepAliveTimeoutMs: {
    name: 'POSTHASTE_KEEP_ALIVE_TIMEOUT',
    type: 'duration',
    min: 1_000,
    max: 3_600_000,
    default: 72_000,
    meaning:
      'Time after which an idle connection is closed. Set it longer than the idle timeout of the load balancer in front, or the load balancer sends requests on connections that were just closed.',
  },
  stallTimeoutMs: {
    name: 'POSTHASTE_STALL_TIMEOUT',
    type: 'duration',
    min: 1_000,
    max: 3_600_000,
    default: 120_000,
    meaning:
      'Time after which a connection with a request in progress is closed when no data moves on it, because its client does not read the response. Keep it above 15s, the interval of keep-alive comments for clients that follow events.',
  },
  maxConnections: {
    name: 'POSTHASTE_MAX_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000_000,
    unit: 'connections',
    default: 10_000,
    meaning: 'Most connections at a time. Further ones are closed at once.',
  },
  maxConnectionsPerAddress: {
    name: 'POSTHASTE_MAX_CONNECTIONS_PER_ADDRESS',
    type: 'integer',
    min: 0,
    max: 1_000_000,
    unit: 'connections',
    default: 1_000,
    meaning:
      'Part of POSTHASTE_MAX_CONNECTIONS that one client address may have, or one IPv6 /64 network; loopback addresses too. Proxies of POSTHASTE_TRUSTED_PROXIES have no such limit. 0 is no limit.',
  },
  maxFollowers: {
    name: 'POSTHASTE_MAX_FOLLOWERS',
    type: 'integer',
    min: 0,
    max: 100_000,
    unit: 'clients',
    default: 200,
    meaning:
      'Most clients that follow events of one gateway process at a time (server-sent events). Further ones are answered with 503.',
  },
  maxFollowersPerCaller: {
    name: 'POSTHASTE_MAX_FOLLOWERS_PER_CALLER',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'clients',
    default: 50,
    meaning:
      'Part of POSTHASTE_MAX_FOLLOWERS that one API key may use, or one client address where there is no key. All keys of one application together may use half of it. Further ones are answered with 429.',
  },
  maxTopics: {
    name: 'POSTHASTE_MAX_TOPICS',
    type: 'integer',
    min: 0,
    max: 100_000,
    unit: 'topics',
    default: 1_000,
    meaning:
      'Most topics in the event log. When it has that many, `POST /v1/events` creates no new one, nor for an application that uses half of them: topics are never removed, and readers of all topics query each of them.',
  },
  maxEventLoopDelayMs: {
    name: 'POSTHASTE_MAX_EVENT_LOOP_DELAY',
    type: 'duration',
    min: 0,
    max: 60_000,
    default: 1_000,
    meaning:
      'Delay of the event loop above which requests are answered with 503 until the process has caught up. 0 turns this off.',
  },
  maxHeapPercent: {
    name: 'POSTHASTE_MAX_HEAP_PERCENT',
    type: 'integer',
    min: 0,
    max: 100,
    unit: 'percent',
    default: 90,
    meaning:
      'Share of the JavaScript heap in use above which requests are answered with 503. 0 turns this off.',
  },
  docs: {
    name: 'POSTHASTE_DOCS',
    type: 'boolean',
    default: true,
    meaning: 'Serves the API documentation on /docs and /openapi.json.',
  },
  logRequests: {
    name: 'POSTHASTE_LOG_REQUESTS',
    type: 'boolean',
    default: false,
    meaning:
      'Logs a line for every request. Otherwise only requests that failed in the server are logged, and refused ones at level debug.',
  },
} as const;

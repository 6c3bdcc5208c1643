/** What the worker reads: how much it does at once, what it keeps and for how long, where mail goes. */
export const workerSettings = {
  threads: {
    name: 'POSTHASTE_WORKER_THREADS',
    type: 'integer',
    min: 0,
    max: 64,
    unit: 'threads',
    default: 0,
    meaning:
      'Threads that one worker process delivers with, each with its own database connections; its limits and those of endpoints are shared out between them, at least 1 for each. 0 is one per core but for one core, four at most. The standalone delivers with one.',
  },
  maxInFlight: {
    name: 'POSTHASTE_WORKER_CONCURRENCY',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'requests',
    default: 512,
    meaning: 'Attempts that one worker process has under way at once.',
  },
  maxInFlightPerOrigin: {
    name: 'POSTHASTE_WORKER_CONCURRENCY_PER_HOST',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'requests',
    default: 128,
    meaning:
      'The share of POSTHASTE_WORKER_CONCURRENCY that one receiver (scheme, host and port) may take. Below it, so that a slow one leaves room for the others.',
  },
  maxInFlightPerApplication: {
    name: 'POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'requests',
    default: 384,
    meaning: 'The share of POSTHASTE_WORKER_CONCURRENCY that one application may take.',
  },
  maxResponseBytes: {
    name: 'POSTHASTE_RESPONSE_LIMIT',
    type: 'integer',
    min: 0,
    max: 1_048_576,
    unit: 'bytes',
    default: 16_384,
    meaning: 'What is kept of the body of an answer; the rest is not read.',
  },
  retentionDays: {
    name: 'POSTHASTE_RETENTION_DAYS',
    type: 'integer',
    min: 1,
    max: 3_650,
    unit: 'days',
    default: 30,
    meaning: 'Finished callbacks and their attempts are dropped after this.',
  },
  idempotencyMs: {
    name: 'POSTHASTE_IDEMPOTENCY_RETENTION',
    type: 'duration',
    min: 60_000,
    max: 31_536_000_000,
    default: 86_400_000,
    meaning:
      'How long an Idempotency-Key is remembered, and the id of an event that was published. The gateway reads it too.',
  },
  smtpUrl: {
    name: 'POSTHASTE_SMTP_URL',
    type: 'url',
    schemes: ['smtp', 'smtps'],
    secret: true,
    meaning:
      'Where notification mails are handed in, such as smtp://user:password@mail.example:587. Not set: notices of failures are only logged.',
  },
  mailFrom: {
    name: 'POSTHASTE_MAIL_FROM',
    type: 'string',
    default: 'Posthaste <posthaste@localhost>',
    meaning: 'The sender of notification mails.',
  },
  monitorHost: {
    name: 'POSTHASTE_WORKER_HOST',
    type: 'string',
    default: '127.0.0.1',
    meaning:
      'The address on which a worker process answers /health/live, /health/ready and /metrics.',
  },
  monitorPort: {
    name: 'POSTHASTE_WORKER_PORT',
    type: 'integer',
    min: 0,
    max: 65_535,
    meaning: 'The port of POSTHASTE_WORKER_HOST. Not set: a worker process listens nowhere.',
  },
} as const;

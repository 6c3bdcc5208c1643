/** Settings of the worker: concurrency, retention, mail, and its monitoring address. */
export const workerSettings = {
  threads: {
    name: 'POSTHASTE_WORKER_THREADS',
    type: 'integer',
    min: 0,
    max: 64,
    unit: 'threads',
    default: 0,
    meaning:
      'Delivery threads of one worker process, each with its own database connections. They divide the limits of the process and of endpoints between them; each thread gets at least 1. 0 is the number of cores minus one, at least 1 and at most 4. The standalone always uses one.',
  },
  maxInFlight: {
    name: 'POSTHASTE_WORKER_CONCURRENCY',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'requests',
    default: 512,
    meaning: 'Most attempts that one worker process makes at once.',
  },
  maxInFlightPerOrigin: {
    name: 'POSTHASTE_WORKER_CONCURRENCY_PER_HOST',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'requests',
    default: 128,
    meaning:
      'Part of POSTHASTE_WORKER_CONCURRENCY that one receiver (scheme, host and port) may use. Keep it below the whole, so that a slow receiver does not delay the others.',
  },
  maxInFlightPerApplication: {
    name: 'POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'requests',
    default: 384,
    meaning: 'Part of POSTHASTE_WORKER_CONCURRENCY that one application may use.',
  },
  maxResponseBytes: {
    name: 'POSTHASTE_RESPONSE_LIMIT',
    type: 'integer',
    min: 0,
    max: 1_048_576,
    unit: 'bytes',
    default: 16_384,
    meaning: 'Bytes of a response body that are stored; the rest is not read.',
  },
  filterMaxWork: {
    name: 'POSTHASTE_FILTER_MAX_WORK',
    type: 'integer',
    min: 1_000,
    max: 1_000_000_000,
    unit: 'steps',
    default: 1_000_000,
    meaning:
      'Most work that the filter of one subscription may make for one event: values of the filter times the values of the payload that they are compared with, at most about 50 ns each. With more, the subscription does not get the event, and shows FILTER_TOO_COSTLY.',
  },
  filterTimeoutMs: {
    name: 'POSTHASTE_FILTER_TIMEOUT',
    type: 'duration',
    min: 10,
    max: 60_000,
    default: 1_000,
    meaning:
      'Longest time of matching the large filters of one application with one event. A filter that is ended then shows FILTER_TIMEOUT.',
  },
  filterMsPerSecond: {
    name: 'POSTHASTE_FILTER_BUDGET',
    type: 'integer',
    min: 1,
    max: 1_000,
    unit: 'ms',
    default: 20,
    meaning:
      'Processor time in each second that the large filters of one application may use in one worker process. An application saves up to five seconds of it; without any left, its subscriptions with large filters do not get the event, and show FILTER_OVER_BUDGET. Usual filters on usual events are not counted, and nothing is limited while all subscriptions are of one application.',
  },
  retentionDays: {
    name: 'POSTHASTE_RETENTION_DAYS',
    type: 'integer',
    min: 1,
    max: 3_650,
    unit: 'days',
    default: 30,
    meaning: 'Days after which finished callbacks and their attempts are dropped.',
  },
  auditRetentionMs: {
    name: 'POSTHASTE_AUDIT_RETENTION',
    type: 'duration',
    min: 86_400_000,
    max: 315_360_000_000,
    default: 34_560_000_000,
    meaning:
      'Time after which entries of the audit log are deleted. Nothing else can delete or change them.',
  },
  idempotencyMs: {
    name: 'POSTHASTE_IDEMPOTENCY_RETENTION',
    type: 'duration',
    min: 60_000,
    max: 31_536_000_000,
    default: 86_400_000,
    meaning:
      'Time for which an Idempotency-Key and the id of a published event are remembered. The gateway reads it too.',
  },
  smtpUrl: {
    name: 'POSTHASTE_SMTP_URL',
    type: 'url',
    schemes: ['smtp', 'smtps'],
    secret: true,
    meaning:
      'SMTP server for notification mails, such as smtp://user:password@mail.example:587. Not set: mails are only logged. Links in mails need POSTHASTE_PUBLIC_URL.',
  },
  mailFrom: {
    name: 'POSTHASTE_MAIL_FROM',
    type: 'string',
    default: 'Posthaste <posthaste@localhost>',
    meaning: 'Sender of notification mails.',
  },
  maxMailsPerRecipient: {
    name: 'POSTHASTE_MAX_MAILS_PER_RECIPIENT',
    type: 'integer',
    min: 1,
    max: 100_000,
    unit: 'mails',
    default: 30,
    meaning:
      'Most notification mails that one recipient gets of one application in an hour. Further failures are summed up in one mail afterwards.',
  },
  monitorHost: {
    name: 'POSTHASTE_WORKER_HOST',
    type: 'string',
    default: '127.0.0.1',
    meaning: 'Address on which a worker process serves /health/live, /health/ready and /metrics.',
  },
  monitorPort: {
    name: 'POSTHASTE_WORKER_PORT',
    type: 'integer',
    min: 0,
    max: 65_535,
    meaning:
      'Port of POSTHASTE_WORKER_HOST. 0 is any free port. Not set: a worker process does not listen.',
  },
} as const;

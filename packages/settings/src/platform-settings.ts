/** What every app reads: where the data is, how it logs, how long it takes to stop. */
export const platformSettings = {
  databaseUrl: {
    name: 'DATABASE_URL',
    type: 'url',
    schemes: ['postgres', 'postgresql'],
    secret: true,
    meaning:
      'The Postgres to work on. Not set: the standalone works on its embedded database; gateway and worker need it.',
  },
  databaseConnections: {
    name: 'POSTHASTE_DATABASE_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000,
    unit: 'connections',
    default: 10,
    meaning:
      'The most connections to Postgres that one process opens. All processes together must stay below `max_connections` of the server.',
  },
  dataDir: {
    name: 'POSTHASTE_DATA_DIR',
    type: 'string',
    default: '.posthaste',
    meaning:
      'The folder of the embedded database, and of the secret key that the standalone makes. A relative one begins where the process is started.',
  },
  secretKey: {
    name: 'POSTHASTE_SECRET_KEY',
    type: 'key',
    bytes: 32,
    secret: true,
    meaning:
      'Encrypts the signing secrets that are stored in the database. The same in every process. The standalone makes one in its data folder when it is not set.',
  },
  logLevel: {
    name: 'POSTHASTE_LOG_LEVEL',
    type: 'choice',
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    meaning: 'The least important lines that are logged.',
  },
  stopTimeoutMs: {
    name: 'POSTHASTE_STOP_TIMEOUT',
    type: 'duration',
    min: 0,
    max: 3_600_000,
    default: 20_000,
    meaning:
      'How long after SIGTERM requests and deliveries in hand may take to finish. Keep it below the time after which your platform kills (30s in Kubernetes).',
  },
} as const;

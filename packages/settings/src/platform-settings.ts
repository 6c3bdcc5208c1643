/** Settings of every app: its database, its log and its stop. */
export const platformSettings = {
  databaseUrl: {
    name: 'DATABASE_URL',
    type: 'url',
    schemes: ['postgres', 'postgresql'],
    secret: true,
    meaning:
      'URL of the Postgres database. Not set: the standalone uses its embedded database; gateway and worker do not start.',
  },
  databaseConnections: {
    name: 'POSTHASTE_DATABASE_CONNECTIONS',
    type: 'integer',
    min: 1,
    max: 1_000,
    unit: 'connections',
    default: 10,
    meaning:
      'Most connections to Postgres that one process opens. All processes together must stay below `max_connections` of the server.',
  },
  synchronousCommit: {
    name: 'POSTHASTE_SYNCHRONOUS_COMMIT',
    type: 'choice',
    choices: ['on', 'off', 'local', 'remote_write', 'remote_apply'],
    default: 'on',
    meaning:
      "Durability of a commit in Postgres: its `synchronous_commit`, which overrides that of the database and of the role. `off` is faster, and loses what was accepted in the last moments before a crash of the database's server.",
  },
  dataDir: {
    name: 'POSTHASTE_DATA_DIR',
    type: 'string',
    default: '.posthaste',
    meaning:
      'Folder of the embedded database and of the secret key that the standalone creates. A relative path is relative to the working directory of the process.',
  },
  secretKey: {
    name: 'POSTHASTE_SECRET_KEY',
    type: 'key',
    bytes: 32,
    secret: true,
    meaning:
      'Key that encrypts the signing secrets in the database. Must be the same in every process. Not set: the standalone creates one in its data folder; gateway and worker do not start.',
  },
  publicUrl: {
    name: 'POSTHASTE_PUBLIC_URL',
    type: 'url',
    schemes: ['https', 'http'],
    originOnly: true,
    meaning:
      'Address at which people reach the gateway from their browsers, such as https://posthaste.example. Links in mails and the sign-in of people need it, and sessions unless the browser is on the same machine. `http` is for loopback only.',
  },
  logLevel: {
    name: 'POSTHASTE_LOG_LEVEL',
    type: 'choice',
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    meaning: 'Least severe level that is logged.',
  },
  stopTimeoutMs: {
    name: 'POSTHASTE_STOP_TIMEOUT',
    type: 'duration',
    min: 0,
    max: 3_600_000,
    default: 20_000,
    meaning:
      'Time after SIGTERM in which requests and deliveries in progress may finish. Keep it below the time after which your platform kills a process (30s in Kubernetes).',
  },
} as const;

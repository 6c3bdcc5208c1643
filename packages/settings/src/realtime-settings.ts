/** Settings of realtime channels: AppSync Events on the gateway. */
export const realtimeSettings = {
  realtimeConfig: {
    name: 'POSTHASTE_REALTIME_CONFIG',
    type: 'string',
    meaning:
      'JSON file with namespaces, and with issuers of tokens, IAM keys and webhook authorizers, each of exactly one application. Not set: namespaces of the database only, and API keys and tokens of the platform only.',
  },
  realtimeDrainMs: {
    name: 'POSTHASTE_REALTIME_DRAIN',
    type: 'duration',
    min: 0,
    max: 3_600_000,
    default: 30_000,
    meaning:
      'Time after SIGTERM over which WebSocket connections are closed, evenly, so that their clients do not come back all at once. It ends 6 seconds before POSTHASTE_STOP_TIMEOUT at the latest: raise that to 36s or more for a full drain.',
  },
} as const;

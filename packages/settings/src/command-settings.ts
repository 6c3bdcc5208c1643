/** Settings of the commands that call a running gateway. */
export const commandSettings = {
  url: {
    name: 'POSTHASTE_URL',
    type: 'url',
    schemes: ['http', 'https'],
    meaning:
      'URL of the gateway that commands such as `posthaste callbacks list` call. Not set: http://127.0.0.1 with POSTHASTE_PORT.',
  },
  apiKey: {
    name: 'POSTHASTE_API_KEY',
    type: 'string',
    secret: true,
    meaning: 'API key that these commands send. A standalone on a loopback address needs none.',
  },
} as const;

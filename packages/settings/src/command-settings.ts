/** What the commands that talk to a running gateway read. */
export const commandSettings = {
  url: {
    name: 'POSTHASTE_URL',
    type: 'url',
    schemes: ['http', 'https'],
    meaning:
      'The gateway that commands such as `posthaste callbacks list` talk to. Not set: http://127.0.0.1 at POSTHASTE_PORT.',
  },
  apiKey: {
    name: 'POSTHASTE_API_KEY',
    type: 'string',
    secret: true,
    meaning: 'The API key that these commands send. Not needed by a standalone on this machine.',
  },
} as const;

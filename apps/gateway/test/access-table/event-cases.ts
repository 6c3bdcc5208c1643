import type { RouteCases, World } from './world.js';

const replays = '/v1/events/dead-letters/replays';

const ofReplay = (path: string) => ({
  make: async (world: World, application: string) => {
    const id = await world.letterReplay(application);
    return { url: path.replace(':id', id), id };
  },
});

export const eventCases: RouteCases = {
  'POST /v1/events': {
    make: (world, application) => ({
      url: '/v1/events',
      body: [{ topic: world.name(application), name: 'a.b', application }],
    }),
  },
  'GET /v1/events': {
    make: async (world, application) => ({
      url: `/v1/events?topic=${await world.topic(application)}`,
    }),
  },
  'GET /v1/listen': {
    // A plain request: it passes all checks, and is told to ask for a WebSocket.
    make: async (world, application) => ({
      url: `/v1/listen?topic=${await world.topic(application)}`,
    }),
    status: 422,
    shows: false,
  },
  'GET /v1/events/topics': {
    make: async (world, application) => {
      await world.topic(application);
      await world.topic(application);
      return { url: '/v1/events/topics' };
    },
  },
  'GET /v1/events/groups': { make: () => ({ url: '/v1/events/groups' }), shows: false },
  'GET /v1/events/dead-letters': {
    make: async (world, application) => ({
      url: `/v1/events/dead-letters?topic=${await world.deadLetter(application)}`,
    }),
  },
  [`POST ${replays}`]: {
    make: async (world, application) => ({
      url: replays,
      body: { topic: await world.deadLetter(application), application },
    }),
    status: 201,
  },
  [`GET ${replays}`]: {
    make: async (world, application) => {
      await world.letterReplay(application);
      await world.letterReplay(application);
      return { url: replays };
    },
  },
  [`GET ${replays}/:id`]: ofReplay(`${replays}/:id`),
  [`POST ${replays}/:id/cancel`]: ofReplay(`${replays}/:id/cancel`),
};

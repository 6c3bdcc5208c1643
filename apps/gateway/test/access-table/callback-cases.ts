import { nextYear, type RouteCases, type World } from './world.js';

const callback = { url: 'https://example.com/', deliverAfter: nextYear };

const of = (path: string, create: (world: World, application: string) => Promise<string>) => ({
  make: async (world: World, application: string) => {
    const id = await create(world, application);
    return { url: path.replace(':id', id), id };
  },
});

const ofCallback = (path: string) => of(path, (world, application) => world.callback(application));
const ofReplay = (path: string) => of(path, (world, application) => world.replay(application));

/** Returns the case of a route that names a queue in its query. */
const ofQueue = (path: string, body?: object) => ({
  make: async (world: World, application: string) => {
    const queue = await world.queue(application);
    return { url: `${path}?queue=${queue}&application=${application}`, body };
  },
});

export const callbackCases: RouteCases = {
  'POST /v1/callbacks': {
    make: (_, application) => ({ url: '/v1/callbacks', body: { ...callback, application } }),
    status: 201,
  },
  'POST /v1/callbacks/batch': {
    make: (_, application) => ({
      url: '/v1/callbacks/batch',
      body: { items: [{ ...callback, application }] },
    }),
  },
  'POST /callback': {
    make: (_, application) => ({
      url: '/callback',
      body: { url: 'https://example.com/', applicationid: application },
    }),
    status: 201,
  },
  'GET /v1/callbacks': {
    make: async (world, application) => {
      await world.callback(application);
      await world.callback(application);
      return { url: '/v1/callbacks' };
    },
  },
  'GET /v1/callbacks/:id': ofCallback('/v1/callbacks/:id'),
  'GET /callback/:id': ofCallback('/callback/:id'),
  'POST /v1/callbacks/:id/cancel': ofCallback('/v1/callbacks/:id/cancel'),
  'POST /v1/callbacks/:id/retry': ofCallback('/v1/callbacks/:id/retry'),
  'POST /v1/callbacks/:id/replay': of('/v1/callbacks/:id/replay', (world, application) =>
    world.cancelledCallback(application),
  ),
  'POST /v1/replays': {
    make: async (world, application) => {
      await world.cancelledCallback(application);
      return { url: '/v1/replays', body: { filter: { application, state: 'cancelled' } } };
    },
    status: 201,
  },
  'GET /v1/replays': {
    make: async (world, application) => {
      await world.replay(application);
      await world.replay(application);
      return { url: '/v1/replays' };
    },
  },
  'GET /v1/replays/:id': ofReplay('/v1/replays/:id'),
  'POST /v1/replays/:id/cancel': ofReplay('/v1/replays/:id/cancel'),
  'GET /v1/queues': {
    make: async (world, application) => {
      await world.queue(application);
      await world.queue(application);
      return { url: '/v1/queues' };
    },
  },
  'GET /v1/queues/details': ofQueue('/v1/queues/details'),
  'POST /v1/queues/pause': { ...ofQueue('/v1/queues/pause'), status: 204 },
  'POST /v1/queues/resume': { ...ofQueue('/v1/queues/resume'), status: 204 },
  'POST /v1/queues/unblock': ofQueue('/v1/queues/unblock', { mode: 'skip' }),
  'PUT /v1/queues/settings': {
    ...ofQueue('/v1/queues/settings', { onFailure: 'park' }),
    status: 204,
  },
  'GET /v1/mail-recipients': {
    make: async (world, application) => {
      await world.recipient(application);
      await world.recipient(application);
      return { url: '/v1/mail-recipients' };
    },
  },
  'POST /v1/mail-recipients/:id/confirm': of('/v1/mail-recipients/:id/confirm', (world, name) =>
    world.recipient(name),
  ),
  'POST /v1/mail-recipients/:id/refuse': of('/v1/mail-recipients/:id/refuse', (world, name) =>
    world.recipient(name),
  ),
};

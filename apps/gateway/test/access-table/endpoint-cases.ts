import type { RouteCases, World } from './world.js';

const ofEndpoint = (path: string, body?: object) => ({
  make: async (world: World, application: string) => {
    const id = await world.endpoint(application);
    return { url: path.replace(':id', id), id, body };
  },
});

const ofSubscription = (path: string, body?: object) => ({
  make: async (world: World, application: string) => {
    const id = await world.subscription(application);
    return { url: path.replace(':id', id), id, body };
  },
});

const ofSecret = (path: string) => ({
  make: async (world: World, application: string) => {
    const name = await world.secret(application);
    return { url: `${path.replace(':name', name)}?application=${application}` };
  },
});

const ofPolicy = {
  make: async (world: World, application: string) => {
    const name = await world.policy(application);
    return { url: `/v1/retry-policies/${name}?application=${application}` };
  },
};

export const endpointCases: RouteCases = {
  'POST /v1/endpoints': {
    make: (world, application) => ({
      url: '/v1/endpoints',
      body: { application, name: world.name(application), url: 'https://example.com/' },
    }),
    status: 201,
  },
  'GET /v1/endpoints': {
    make: async (world, application) => {
      await world.endpoint(application);
      await world.endpoint(application);
      return { url: '/v1/endpoints' };
    },
  },
  'GET /v1/endpoints/:id': ofEndpoint('/v1/endpoints/:id'),
  'PATCH /v1/endpoints/:id': ofEndpoint('/v1/endpoints/:id', { timeoutMs: 5_000 }),
  'DELETE /v1/endpoints/:id': { ...ofEndpoint('/v1/endpoints/:id'), status: 204 },
  'POST /v1/endpoints/:id/pause': ofEndpoint('/v1/endpoints/:id/pause', {}),
  'POST /v1/endpoints/:id/resume': ofEndpoint('/v1/endpoints/:id/resume', {}),
  'POST /v1/endpoints/:id/disable': ofEndpoint('/v1/endpoints/:id/disable', {}),
  'POST /v1/endpoints/:id/enable': ofEndpoint('/v1/endpoints/:id/enable', {}),
  'POST /v1/endpoints/:id/test': { ...ofEndpoint('/v1/endpoints/:id/test'), status: 201 },
  'GET /v1/endpoints/:id/secrets': ofEndpoint('/v1/endpoints/:id/secrets'),
  'POST /v1/endpoints/:id/secrets': { ...ofEndpoint('/v1/endpoints/:id/secrets', {}), status: 201 },
  'POST /v1/subscriptions': {
    make: async (world, application) => {
      const id = await world.endpoint(application);
      return { url: '/v1/subscriptions', body: { endpointId: id, eventName: 'a.b' }, id };
    },
    status: 201,
  },
  'GET /v1/subscriptions': {
    make: async (world, application) => {
      await world.subscription(application);
      await world.subscription(application);
      return { url: '/v1/subscriptions' };
    },
  },
  'GET /v1/subscriptions/:id': ofSubscription('/v1/subscriptions/:id'),
  'PUT /v1/subscriptions/:id': ofSubscription('/v1/subscriptions/:id', { eventName: 'a.c' }),
  'DELETE /v1/subscriptions/:id': { ...ofSubscription('/v1/subscriptions/:id'), status: 204 },
  'POST /v1/secrets': {
    make: (world, application) => ({
      url: '/v1/secrets',
      body: { application, name: world.name(application) },
    }),
    status: 201,
  },
  'GET /v1/secrets': {
    make: async (world, application) => {
      await world.secret(application);
      await world.secret(application);
      return { url: '/v1/secrets' };
    },
  },
  'GET /v1/secrets/:name': ofSecret('/v1/secrets/:name'),
  'DELETE /v1/secrets/:name': { ...ofSecret('/v1/secrets/:name'), status: 204 },
  'POST /v1/secrets/:name/rotate': { ...ofSecret('/v1/secrets/:name/rotate'), status: 201 },
  'PUT /v1/retry-policies/:name': {
    make: (world, application) => ({
      url: `/v1/retry-policies/${world.name(application)}?application=${application}`,
      body: { phases: [{ retries: 1, delayMs: 1_000 }] },
    }),
  },
  'GET /v1/retry-policies/:name': ofPolicy,
  'DELETE /v1/retry-policies/:name': { ...ofPolicy, status: 204 },
  'GET /v1/retry-policies': {
    make: async (world, application) => {
      await world.policy(application);
      await world.policy(application);
      return { url: '/v1/retry-policies' };
    },
  },
};
